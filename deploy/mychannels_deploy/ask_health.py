"""Ask a Daphne on this machine for its health: python -m mychannels_deploy.ask_health PORT

Exits with an error if it is unhealthy.
"""

import os
import sys
from urllib.request import Request, urlopen

TIMEOUT = 20  # seconds

if __name__ == "__main__":
    headers = {  # what nginx would send
        "Host": os.environ["DJANGO_ALLOWED_HOSTS"].split(",")[0].strip(),
        "X-Forwarded-Proto": "https",
    }
    request = Request(f"http://127.0.0.1:{sys.argv[1]}/health/", headers=headers)
    urlopen(request, timeout=TIMEOUT)
