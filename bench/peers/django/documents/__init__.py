"""Documents behind ETag and If-Match, as a careful Django team would write them."""
