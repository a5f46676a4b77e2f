"""What granian serves: Kinto with the settings beside this file."""

from pathlib import Path

from pyramid.paster import get_app

application = get_app(str(Path(__file__).with_name("kinto.ini")))
