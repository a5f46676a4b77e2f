"""SQLite, durable at every commit. Nothing is switched on that the API does not need."""

import os

SECRET_KEY = "only signs sessions, and there are none"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "documents.urls"
WSGI_APPLICATION = "documents.wsgi.application"
INSTALLED_APPS = ["documents", "rest_framework"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DOCUMENTS_DATABASE"],
        # The connection of a thread is kept.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # A transaction that begins with a read could not become a writer once
            # another one has written.
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
        },
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "rest_framework.parsers.JSONParser",
        "documents.parsers.MergePatchParser",
    ],
    "UNAUTHENTICATED_USER": None,
}
