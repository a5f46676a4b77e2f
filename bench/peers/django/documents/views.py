"""Reads that answer 304, and writes that are guarded by If-Match in a transaction."""

from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from .models import Document

PAGE_SIZE = 100
PAGE_SIZE_MAX = 1000


class PreconditionFailed(APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "The document has changed."


class PreconditionRequired(APIException):
    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_detail = "If-Match is missing."


def merge(target, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def matching(request, pk):
    """The document, locked, if `If-Match` names its present version."""
    if "If-Match" not in request.headers:
        raise PreconditionRequired
    expected = parse_etags(request.headers["If-Match"])
    try:
        document = Document.objects.select_for_update().get(pk=pk)
    except Document.DoesNotExist:
        raise PreconditionFailed
    if expected != ["*"] and document.etag not in expected:
        raise PreconditionFailed
    return document


def save(document):
    document.version += 1
    document.save(update_fields=["body", "version"])
    return Response(status=status.HTTP_204_NO_CONTENT, headers={"ETag": document.etag})


class DocumentDetail(APIView):
    def get(self, request, pk):
        try:
            document = Document.objects.get(pk=pk)
        except Document.DoesNotExist:
            raise Http404
        response = Response(document.body, headers={"ETag": document.etag})
        return get_conditional_response(request, etag=document.etag, response=response)

    def put(self, request, pk):
        if request.headers.get("If-None-Match") == "*":
            return self.create(request, pk)
        with transaction.atomic():
            document = matching(request, pk)
            document.body = request.data
            return save(document)

    def patch(self, request, pk):
        with transaction.atomic():
            document = matching(request, pk)
            document.body = merge(document.body, request.data)
            return save(document)

    def create(self, request, pk):
        try:
            with transaction.atomic():
                document = Document.objects.create(pk=pk, body=request.data)
        except IntegrityError:
            raise PreconditionFailed
        headers = {"ETag": document.etag, "Location": f"/bench/{pk}"}
        return Response(status=status.HTTP_201_CREATED, headers=headers)


class DocumentList(APIView):
    """Ordered by id; a page goes on after the last id of the one before."""

    def get(self, request):
        parameters = request.query_params
        try:
            limit = min(int(parameters.get("_limit", PAGE_SIZE)), PAGE_SIZE_MAX)
            documents = Document.objects.order_by("pk")
            if "priority" in parameters:
                documents = documents.filter(body__priority=int(parameters["priority"]))
        except ValueError:
            raise ValidationError("A number is wanted.")
        if "_after" in parameters:
            documents = documents.filter(pk__gt=parameters["_after"])
        items = [
            {"id": document.pk, "etag": document.etag, "document": document.body}
            for document in documents[:limit]
        ]
        after = items[-1]["id"] if len(items) == limit else None
        return Response({"items": items, "next": after})
