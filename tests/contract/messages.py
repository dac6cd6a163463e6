"""Messages drawn from a dialect's schema.json, right and wrong, and what the schema says of those that come back.

What is wrong is a right message with one thing changed, so that it comes further than noise would.
"""

import copy
import json
import urllib.request

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

# Like the last run, and over in seconds.
CAREFULLY = settings(
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


# Longer than a text may be; made late, so that it is in no description of a strategy.
TOO_LONG = st.just("x").map(lambda letter: letter * 20_000)


class Schema:
    """The definitions of a dialect: what its clients send, and what they are sent."""

    def __init__(self, address, frontend):
        url = f"http://{address}/.well-known/dragoman/{frontend}/schema.json"
        with urllib.request.urlopen(url) as response:
            self.defs = json.load(response)["$defs"]
        self.validators = {}

    def sent(self, name="FromClient"):
        """Strategies for messages as a client should send them, one a kind."""
        kinds = [choice["$ref"].rsplit("/", 1)[1] for choice in self.defs[name]["oneOf"]]
        return [from_schema({"$ref": f"#/$defs/{kind}", "$defs": self.defs}) for kind in kinds]

    def takes(self, message, name="FromClient"):
        """Whether a message is one that the dialect says it takes, `x-accepts` included. A field that is null is missing."""
        return self.validator(name, accepting).is_valid(without_null(message))

    def check(self, value, name="FromServer"):
        """Fails where a definition does not describe a value, with no field that it does not have."""
        error = jsonschema.exceptions.best_match(self.validator(name, closed).iter_errors(value))
        assert error is None, f"{name} does not describe {value!r}: {error.message}"

    def validator(self, name, change):
        if (name, change) not in self.validators:
            self.validators[name, change] = self.made(name, change)
        return self.validators[name, change]

    def made(self, name, change):
        defs = {key: change(copy.deepcopy(schema)) for key, schema in self.defs.items()}
        return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": defs})


def each(schema, change):
    """Changes the schemas within a schema."""
    if isinstance(schema, bool):
        return schema
    for key, value in schema.items():
        if key == "properties":
            schema[key] = {name: change(inner) for name, inner in value.items()}
        elif key in ("oneOf", "anyOf", "allOf", "prefixItems"):
            schema[key] = [change(inner) for inner in value]
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            schema[key] = change(value)
    return schema


def accepting(schema):
    each(schema, accepting)
    if isinstance(schema, bool) or "x-accepts" not in schema:
        return schema
    also = schema.pop("x-accepts")
    return {"anyOf": [schema, also]}


def closed(schema):
    schema = accepting(schema)

    def close(schema):
        each(schema, close)
        if isinstance(schema, dict) and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        return schema

    return close(schema)


def without_null(value):
    if isinstance(value, dict):
        return {key: without_null(inner) for key, inner in value.items() if inner is not None}
    return value


@st.composite
def known(draw, messages, values):
    """Some fields of a message with what the gateway knows: `values` has a strategy for each such field."""

    def put(value):
        if isinstance(value, list):
            return [put(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        return {
            key: draw(values[key]) if key in values and draw(st.integers(0, 3)) else put(inner)
            for key, inner in value.items()
        }

    return put(draw(messages))


@st.composite
def changed(draw, messages):
    """A message with one thing changed somewhere in it."""
    message = draw(messages)
    place = message
    while True:
        inner = [key for key in place if isinstance(place[key], dict) and place[key]]
        if not inner or draw(st.booleans()):
            break
        place = place[draw(st.sampled_from(sorted(inner)))]
    keys = sorted(place)
    how = draw(st.sampled_from(["less", "other", "more"]))
    if how == "more" or not keys:
        place[draw(st.text(max_size=8))] = draw(ANYTHING)
    elif how == "less":
        del place[draw(st.sampled_from(keys))]
    else:
        place[draw(st.sampled_from(keys))] = draw(ANYTHING)
    return message


@st.composite
def broken(draw, messages):
    """The text of a message, damaged."""
    text = json.dumps(draw(messages), ensure_ascii=False)
    at = draw(st.integers(0, len(text)))
    end = draw(st.sampled_from([at, at + 1, len(text)]))
    return text[:at] + draw(st.text(st.characters(codec="utf-8"), max_size=3)) + text[end:]


def meant(step):
    """The message that a step is, None where it is no JSON object."""
    if isinstance(step, dict):
        return step
    try:
        message = json.loads(step, parse_constant=lambda _: {}["no JSON"]) if isinstance(step, str) else None
    except (ValueError, KeyError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def conversations(steps, count, length=6):
    """Runs a test on lists of steps."""

    def run(test):
        settings(CAREFULLY, max_examples=count)(given(st.lists(steps, min_size=1, max_size=length))(test))()

    return run
