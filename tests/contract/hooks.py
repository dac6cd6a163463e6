"""What schemathesis cannot guess: a registration repeats its password, and only a registered user can log in."""

import schemathesis

ACCOUNT = {"name": "ann", "password": "secret"}


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    operation = context.operation.definition.raw.get("operationId")
    # By the length, so that a run is like the one before it.
    length = len(str(body))
    if operation == "register" and length % 4 and {"password", "password_repete"} <= body.keys():
        return {**body, "password_repete": body["password"]}
    if operation == "log_in" and length % 2:
        return {**body, **ACCOUNT}
    return body
