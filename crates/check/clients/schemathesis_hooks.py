"""What no schema can say."""

import itertools
import uuid

import schemathesis

# The ids of the operations that lists have told of, and whose turn it is.
OPERATIONS, TURN = {}, itertools.count()

schemathesis.serializer.alias("application/x-ndjson", "text/plain")


def is_valid(case, location):
    """Whether a part of the request is meant to be good."""
    if case.meta is None:
        return True
    parts = {part.value: info for part, info in case.meta.components.items()}
    return location not in parts or parts[location].mode.is_positive


@schemathesis.hook
def before_call(context, case, kwargs):
    headers, query = case.headers or {}, case.query or {}
    if is_valid(case, "path") and case.path.startswith("/_/operations/") and OPERATIONS:
        # Ids are the server's to make up.
        known = list(OPERATIONS)
        case.path_parameters["id"] = known[next(TURN) % len(known)]
    if is_valid(case, "header"):
        # A key is for one request, and what was made up is sent more than once.
        if "Idempotency-Key" in headers:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        # A range does not end before it begins.
        if "Range" in headers:
            headers["Range"] = "bytes=0-9"
    if is_valid(case, "query"):
        # Page tokens are the server's to make up.
        query.pop("_after", None)
        # Any name is one of a field, and nothing is none.
        for name in {"_sort", "_fields"} & query.keys():
            if not str(query[name]).isalnum():
                query[name] = "title"
        # Changes have an order and no end.
        if "_since" in query:
            query.pop("_sort", None)
            query.pop("_count", None)


@schemathesis.hook
def after_call(context, case, response):
    if case.path == "/_/operations" and response.status_code == 200 and case.method == "GET":
        for item in response.json().get("items", []):
            OPERATIONS[item["path"].rsplit("/", 1)[1]] = None
