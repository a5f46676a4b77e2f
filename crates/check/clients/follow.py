"""Follows the event stream of a URL and prints each event as a line of JSON.

httpx-sse leaves it to its user to come back after a lost line.
"""

import json
import sys
import time

import httpx
from httpx_sse import connect_sse

url = sys.argv[1]
last_id = ""
retry_ms = 1000
with httpx.Client(timeout=60) as client:
    while True:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        try:
            with connect_sse(client, "GET", url, headers=headers) as source:
                for event in source.iter_sse():
                    last_id = event.id
                    retry_ms = event.retry or retry_ms
                    line = {"type": event.event, "id": event.id, "data": event.data}
                    print(json.dumps(line), flush=True)
        except httpx.TransportError:
            pass
        time.sleep(retry_ms / 1000)
