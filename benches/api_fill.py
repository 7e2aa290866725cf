"""Fills a vault through POST /v1/tokenize and writes 100,000 of the tokens to a file."""

import http.client
import json
import sys
import time
from urllib.parse import urlparse

url, credential, entries, tokens = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
headers = {
    "content-type": "application/json",
    "authorization": "Bearer " + open(credential).read().strip(),
}
connection = http.client.HTTPConnection(urlparse(url).netloc)
kept, begun = [], time.time()
for start in range(0, entries, 10_000):
    count = min(10_000, entries - start)
    values = [f"person{n}@example.com" for n in range(start, start + count)]
    body = json.dumps({"purpose": "bench", "reason": "fill", "domain": "email", "values": values})
    connection.request("POST", "/v1/tokenize", body, headers)
    reply = connection.getresponse()
    answer = json.loads(reply.read())
    assert reply.status == 200, answer
    kept.extend(result["token"] for result in answer["results"][:: max(1, entries // 100_000)])
seconds = time.time() - begun
open(tokens, "w").write("\n".join(kept[:100_000]) + "\n")
print(f"filled by POST /v1/tokenize: {entries} values in {seconds:.1f} s, {entries / seconds:.0f} values/s")
