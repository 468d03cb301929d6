# SPDX-License-Identifier: Apache-2.0
"""front.py PORT ADMIN UPSTREAM [CERT KEY]: a strict Kinesis before a lax one.

Listens on 127.0.0.1:PORT and passes on to kinesalite at 127.0.0.1:UPSTREAM what
AWS would have accepted; kinesalite itself verifies nothing. It

- verifies Signature Version 4 with botocore's own signer: the session token, the
  host and every X-Amz-* header must be signed, the time be within five minutes;
- keeps the limits: 500 records, 1 MiB a record and 5 MiB a call with the
  partition keys, 1,000 records/s and 1 MiB/s a shard when `limits` is on;
- injects the faults that it is told to;
- keeps a ledger of what was really stored.

127.0.0.1:ADMIN takes POST with JSON:
    /faults   [{"op": "PutRecords", "kind": K, "left": N, "p": P, ...}, ...], in
              force until used up (`left`, else for ever), with probability p
    /clock    {"skew_ms": N}                the server's clock minus the true one
    /cred     {"id": .., "secret": .., "token": .., "expires": epoch s}
    /limits   {"on": true}
    /reset    {}                            all of it, stats and ledger too
and GET /stats, /ledger (shard, sequence number, partition key, SHA-256 of the data).

Fault kinds: reset_before, close, http500, http503, throttle, expired, denied,
missing, kms, invalid (none of these stores anything), reset_after, stall_after,
count_mismatch, garbage, drip (these store it), stall, delay (ms), partial and
partial_internal (each record fails with probability `rate`).
"""

import asyncio
import base64
import email.utils
import hashlib
import json
import random
import re
import socket
import ssl
import struct
import sys
import time

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

MAX_RECORDS, MAX_RECORD, MAX_CALL = 500, 1 << 20, 5 << 20
SHARD_RECORDS, SHARD_BYTES = 1000, 1 << 20
MAX_SKEW = 300
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$")
ERRORS = {
    "http500": (500, "InternalFailure"),
    "throttle": (400, "ProvisionedThroughputExceededException"),
    "expired": (400, "ExpiredTokenException"),
    "denied": (400, "AccessDeniedException"),
    "missing": (400, "ResourceNotFoundException"),
    "kms": (400, "KMSDisabledException"),
    "invalid": (400, "ValidationException"),
}


class Refused(Exception):
    def __init__(self, status, code, message=""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class Gone(Exception):
    """The client, or the answer, is to be dropped."""


class State:
    def __init__(self):
        self.reset()

    def reset(self):
        self.faults, self.skew, self.limits = [], 0.0, False
        self.cred = {"id": "AKIDTEST", "secret": "test-secret", "token": None, "expires": None}
        self.stats = {"requests": 0, "connections": 0, "refused": {}, "faults": {},
                      "records": 0, "stored": 0, "expect": 0}
        self.ledger, self.buckets = [], {}

    def now(self):
        return time.time() + self.skew

    def refuse(self, code):
        self.stats["refused"][code] = self.stats["refused"].get(code, 0) + 1

    def fault(self, op):
        """The fault that strikes this call, or None."""
        for fault in self.faults:
            if fault.get("op", op) != op or fault.get("left", 1) <= 0:
                continue
            if random.random() >= fault.get("p", 1.0):
                continue
            if "left" in fault:
                fault["left"] -= 1
            kind = fault["kind"]
            self.stats["faults"][kind] = self.stats["faults"].get(kind, 0) + 1
            return fault
        return None


# --- what AWS checks ---


def verify(state, method, path, headers, body):
    """SigV4 as AWS verifies it."""
    match = AUTHORIZATION.match(headers.get("authorization", ""))
    if not match:
        raise Refused(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    key_id, day, region, service, signed, signature = match.groups()
    signed = signed.split(";")
    cred = state.cred

    if key_id != cred["id"] or (headers.get("x-amz-security-token") or None) != cred["token"]:
        raise Refused(403, "UnrecognizedClientException",
                      "The security token included in the request is invalid.")
    if cred["expires"] is not None and state.now() > cred["expires"]:
        raise Refused(400, "ExpiredTokenException",
                      "The security token included in the request is expired")
    must = {name for name in headers if name == "host" or name.startswith("x-amz-")}
    if not must <= set(signed) or signed != sorted(signed) or service != "kinesis":
        raise Refused(403, "InvalidSignatureException", "not all that must be signed is signed")

    stamp = headers.get("x-amz-date", "")
    if not re.fullmatch(r"\d{8}T\d{6}Z", stamp) or not stamp.startswith(day):
        raise Refused(403, "IncompleteSignatureException", "X-Amz-Date")
    sent = time.mktime(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) - time.timezone
    if sent < state.now() - MAX_SKEW:
        raise Refused(403, "InvalidSignatureException",
                      "Signature expired: %s is now earlier than ..." % stamp)
    if sent > state.now() + MAX_SKEW:
        raise Refused(403, "InvalidSignatureException", "Signature not yet current: " + stamp)

    request = AWSRequest(method, "http://%s%s" % (headers["host"], path), data=body,
                         headers={name: headers[name] for name in signed})
    request.context["timestamp"] = stamp
    auth = SigV4Auth(Credentials(cred["id"], cred["secret"], cred["token"]), service, region)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    if auth.signature(text, request) != signature:
        raise Refused(403, "InvalidSignatureException",
                      "The request signature we calculated does not match the signature "
                      "you provided.")


def check_limits(records):
    if not isinstance(records, list) or not 1 <= len(records) <= MAX_RECORDS:
        raise Refused(400, "ValidationException", "1 to 500 records")
    total = 0
    for record in records:
        key = record["PartitionKey"]
        if not 1 <= len(key) <= 256:
            raise Refused(400, "ValidationException", "partition key")
        size = len(base64.b64decode(record["Data"], validate=True)) + len(key.encode())
        if size > MAX_RECORD:
            raise Refused(400, "ValidationException", "a record of %d bytes" % size)
        total += size
    if total > MAX_CALL:
        raise Refused(400, "ValidationException", "a call of %d bytes" % total)


class Bucket:
    def __init__(self):
        self.records, self.bytes, self.at = SHARD_RECORDS, SHARD_BYTES, time.monotonic()

    def take(self, size):
        now = time.monotonic()
        self.records = min(SHARD_RECORDS, self.records + (now - self.at) * SHARD_RECORDS)
        self.bytes = min(SHARD_BYTES, self.bytes + (now - self.at) * SHARD_BYTES)
        self.at = now
        if self.records < 1 or self.bytes < size:
            return False
        self.records -= 1
        self.bytes -= size
        return True


# --- HTTP, as little as is needed ---


async def read_message(reader):
    """(first line, headers, body), or None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:-2]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return lines[0], headers, body


def render(status, body, kind="application/x-amz-json-1.1", date=None):
    return (b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\nDate: %s\r\n\r\n%s"
            % (status, kind.encode(), len(body),
               email.utils.formatdate(date, usegmt=True).encode(), body))


def abort(writer):
    """A reset, not a clean end."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Upstream:
    def __init__(self, port):
        self.port, self.idle = port, []

    async def call(self, op, body):
        """The answer of kinesalite: (status, bytes)."""
        head = ("POST / HTTP/1.1\r\nHost: kinesalite\r\nContent-Length: %d\r\n"
                "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Date: x\r\n"
                "X-Amz-Target: Kinesis_20131202.%s\r\nAuthorization: AWS4-HMAC-SHA256 "
                "Credential=a/b, SignedHeaders=c, Signature=d\r\n\r\n" % (len(body), op))
        for last in (False, True):
            if self.idle and not last:
                reader, writer = self.idle.pop()
            else:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port,
                                                               limit=1 << 24)
            try:
                writer.write(head.encode() + body)
                await writer.drain()
                message = await read_message(reader)
            except ConnectionError:
                message = None
            if message is not None:
                self.idle.append((reader, writer))
                return int(message[0].split()[1]), message[2]
            writer.close()
        raise Refused(500, "InternalFailure", "kinesalite does not answer")


# --- the server ---


class Front:
    def __init__(self, upstream):
        self.state, self.upstream = State(), Upstream(upstream)
        self.shards, self.shards_at = {}, {}

    async def shard_of(self, stream, key):
        """The open shard that a partition key belongs to."""
        if time.monotonic() - self.shards_at.get(stream, -9) > 1:
            status, body = await self.upstream.call(
                "DescribeStream", json.dumps({"StreamName": stream}).encode())
            if status != 200:
                return None
            self.shards[stream] = [
                (int(s["HashKeyRange"]["StartingHashKey"]),
                 int(s["HashKeyRange"]["EndingHashKey"]), s["ShardId"])
                for s in json.loads(body)["StreamDescription"]["Shards"]
                if "EndingSequenceNumber" not in s["SequenceNumberRange"]]
            self.shards_at[stream] = time.monotonic()
        value = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
        for low, high, shard in self.shards[stream]:
            if low <= value <= high:
                return shard
        return None

    async def failing(self, stream, records, fault):
        """{index: error code} of the records that this call does not store."""
        failed = {}
        kind = fault["kind"] if fault else ""
        for i, record in enumerate(records):
            if kind.startswith("partial") and random.random() < fault.get("rate", 0.5):
                failed[i] = ("InternalFailure" if kind == "partial_internal"
                             else "ProvisionedThroughputExceededException")
            elif self.state.limits:
                shard = await self.shard_of(stream, record["PartitionKey"])
                size = len(record["Data"]) * 3 // 4 + len(record["PartitionKey"])
                bucket = self.state.buckets.setdefault((stream, shard), Bucket())
                if shard is not None and not bucket.take(size):
                    failed[i] = "ProvisionedThroughputExceededException"
        return failed

    async def put_records(self, body, fault):
        request = json.loads(body)
        records = request.get("Records")
        check_limits(records)
        self.state.stats["records"] += len(records)

        failed = await self.failing(request["StreamName"], records, fault)
        kept = [r for i, r in enumerate(records) if i not in failed]
        results = []
        if kept:
            if failed:
                body = json.dumps(dict(request, Records=kept)).encode()
            status, answer = await self.upstream.call("PutRecords", body)
            if status != 200:
                return status, answer
            results = json.loads(answer)["Records"]
            self.state.stats["stored"] += len(results)
            self.state.ledger += [
                (result["ShardId"], result["SequenceNumber"], record["PartitionKey"],
                 hashlib.sha256(base64.b64decode(record["Data"])).hexdigest())
                for record, result in zip(kept, results)]
        results = iter(results)
        answers = [{"ErrorCode": failed[i], "ErrorMessage": "as asked for"} if i in failed
                   else next(results) for i in range(len(records))]
        return 200, json.dumps({"FailedRecordCount": len(failed), "Records": answers}).encode()

    async def answer(self, line, headers, body, writer):
        method, path, _ = line.split(" ", 2)
        self.state.stats["requests"] += 1
        self.state.stats["expect"] += "expect" in headers
        verify(self.state, method, path, headers, body)
        op = headers.get("x-amz-target", ".").split(".", 1)[1]

        fault = self.state.fault(op)
        kind = fault["kind"] if fault else ""
        if kind == "delay":
            await asyncio.sleep(fault["ms"] / 1000)
        elif kind == "reset_before":
            abort(writer)
            raise Gone
        elif kind == "close":
            raise Gone
        elif kind == "stall":
            await asyncio.sleep(3600)
        elif kind == "http503":
            return render(503, b"<html><b>503 Service Unavailable</b></html>", "text/html")
        elif kind in ERRORS:
            raise Refused(*ERRORS[kind], "as asked for")

        if op == "PutRecords":
            status, answer = await self.put_records(body, fault)
        else:
            status, answer = await self.upstream.call(op, body)
        return await self.spoil(kind, status, answer, writer)

    async def spoil(self, kind, status, answer, writer):
        """What becomes of an answer after its records were stored."""
        if kind == "reset_after":
            abort(writer)
            raise Gone
        if kind == "stall_after":
            await asyncio.sleep(3600)
        if kind == "count_mismatch":
            short = json.loads(answer)
            short["Records"].pop()
            answer = json.dumps(short).encode()
        if kind == "garbage":
            answer = answer[:len(answer) // 2]
        whole = render(status, answer, date=self.state.now())
        if kind == "drip":
            for byte in whole:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
            return b""
        return whole

    async def serve(self, reader, writer):
        self.state.stats["connections"] += 1
        try:
            while True:
                message = await read_message(reader)
                if message is None:
                    break
                try:
                    whole = await self.answer(*message, writer)
                except Refused as refused:
                    self.state.refuse(refused.code)
                    whole = render(refused.status, json.dumps(
                        {"__type": refused.code, "message": refused.message}).encode(),
                        date=self.state.now())
                writer.write(whole)
                await writer.drain()
        except (Gone, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def admin(self, reader, writer):
        line, _, body = await read_message(reader)
        path = line.split()[1]
        value = json.loads(body) if body else {}
        state, answer = self.state, {}
        if path == "/faults":
            state.faults = value
        elif path == "/clock":
            state.skew = value["skew_ms"] / 1000
        elif path == "/cred":
            state.cred = dict(state.cred, **value)
        elif path == "/limits":
            state.limits = value["on"]
        elif path == "/reset":
            state.reset()
        elif path == "/stats":
            answer = state.stats
        elif path == "/ledger":
            answer = state.ledger
        writer.write(render(200, json.dumps(answer).encode(), "application/json"))
        await writer.drain()
        writer.close()


async def main(port, admin, upstream, cert=None, key=None):
    front = Front(int(upstream))
    tls = None
    if cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert, key)
    await asyncio.start_server(front.serve, "127.0.0.1", int(port), ssl=tls, limit=1 << 24)
    server = await asyncio.start_server(front.admin, "127.0.0.1", int(admin), limit=1 << 24)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
