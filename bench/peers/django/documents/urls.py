"""Where the documents are."""

from django.urls import path

from .views import DocumentList, DocumentDetail

urlpatterns = [
    path("bench", DocumentList.as_view()),
    path("bench/<str:pk>", DocumentDetail.as_view()),
]
