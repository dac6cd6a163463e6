"""Makes schemas/whole.json: the OpenAPI, and among its types the packets of the WebSocket, so that one generator makes them all."""

import json
import pathlib

schemas = pathlib.Path("schemas")
openapi = json.loads((schemas / "openapi.json").read_text())
packets = (schemas / "packets.json").read_text().replace("#/$defs/", "#/components/schemas/")
for name, definition in json.loads(packets)["$defs"].items():
    # A `const` tells the packets apart; told by a discriminator, they would be classes with setters for it.
    definition.pop("discriminator", None)
    openapi["components"]["schemas"].setdefault(name, definition)
(schemas / "whole.json").write_text(json.dumps(openapi, indent=1))
