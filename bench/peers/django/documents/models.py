"""One row a document; its version is its entity tag."""

from django.db import models


class Document(models.Model):
    id = models.CharField(primary_key=True, max_length=200)
    version = models.PositiveBigIntegerField(default=1)
    body = models.JSONField()

    @property
    def etag(self):
        return f'"{self.version}"'
