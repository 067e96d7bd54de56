"""The addresses of the views."""

from django.contrib import admin
from django.urls import path

from . import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("artists", views.artists),
    path("async/artists", views.artists_async),
    path("one-by-one/artists", views.artists_one_by_one),
    path("playlists", views.playlists),
]
