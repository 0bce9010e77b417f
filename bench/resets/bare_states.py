"""What asking costs at least with a client of Python: `bare_states.py VARIABLE SERVICE COUNT THREADS LINES`.

Asks COUNT times for the state of a service, with the credentials that the environment variable holds, and fails
where it does not run. LINES: `kept`, a connection for each thread, or `fresh`, one for each read.
"""

import http.client
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit


def read_states(credentials: dict[str, str], service: str, count: int, *, keep: bool) -> None:
    connection = http.client.HTTPConnection(urlsplit(credentials["origin"]).netloc)
    headers = {"Content-Type": "application/json", "Authorization": f"token {credentials['token']}"}
    for _ in range(count):
        connection.request("POST", "/js_admin/service_info", json.dumps({"name": service}).encode(), headers)
        state = json.loads(connection.getresponse().read())["state"]
        if state != "RUNNING":
            sys.exit(f"{service} is {state}")
        if not keep:
            connection.close()  # the next request opens it again


def main(variable: str, service: str, count: str, threads: str, lines: str) -> None:
    credentials, keep = json.loads(os.environ[variable]), lines == "kept"
    shares = [len(range(share, int(count), int(threads))) for share in range(int(threads))]
    with ThreadPoolExecutor(len(shares)) as pool:
        list(pool.map(lambda share: read_states(credentials, service, share, keep=keep), shares))


if __name__ == "__main__":
    main(*sys.argv[1:])
