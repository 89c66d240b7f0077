"""A certificate authority in the process of the test, since real ones do not fail, wait and expire on cue.

It checks signatures and nonces and validates hosts as RFC 8555 and RFC 8737 have it. The real test authority, pebble,
has tests of its own, which run where it can be had: `tests/acceptance/test_autocert.py`.
"""

import asyncio
import base64
import datetime
import hashlib
import itertools
import json
import ssl

from aiohttp import ClientSession, web
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

JOSE = "application/jose+json"


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class FakeAuthority:
    """Hosts are validated on `tls_port` and `http_port` of 127.0.0.1, whatever they are called."""

    def __init__(self):
        self.tls_port = self.http_port = 0
        self.http_host = ""  # as whom it asks over HTTP; empty: as the host to be validated
        self.lifetime = 3600.0
        self.kinds = ["http-01", "tls-alpn-01"]
        self.fault = None  # status, problem and headers of the answer to every new order
        self.bad_nonces = 0  # that many requests are told that their nonce is bad
        self.gate = asyncio.Event()  # orders are not finished before it is set
        self.gate.set()
        self.validated = 0  # hosts that have shown that they are theirs; their orders wait for the gate
        self.ordered = []
        self.order_requests = 0
        self.contacts = []
        self.accounts = {}
        self._nonces = set()
        self._orders = {}
        self._numbers = itertools.count(1)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._validations = set()

    async def __aenter__(self):
        app = web.Application()
        app.router.add_get("/dir", self._directory)
        app.router.add_head("/nonce", self._nonce)
        for path in (
            "account",
            "order",
            "order/{id}",
            "authz/{id}",
            "challenge/{id}/{kind}",
            "finalize/{id}",
            "cert/{id}",
        ):
            app.router.add_post(f"/{path}", self._post)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc):
        for each in self._validations:
            each.cancel()
        await self._runner.cleanup()

    async def _directory(self, request):
        paths = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order"}
        return web.json_response({name: f"{self.url}/{path}" for name, path in paths.items()})

    def _new_nonce(self):
        nonce = f"nonce-{next(self._numbers)}"
        self._nonces.add(nonce)
        return {"Replay-Nonce": nonce}

    async def _nonce(self, request):
        return web.Response(headers=self._new_nonce())

    def _problem(self, status, kind, detail="", headers=None):
        body = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail}
        return web.json_response(body, status=status, headers=self._new_nonce() | (headers or {}))

    def _read_response(self, body, location=None, status=200):
        headers = self._new_nonce() | ({"Location": location} if location else {})
        return web.json_response(body, status=status, headers=headers)

    async def _post(self, request):
        signed = json.loads(await request.read())
        header = json.loads(decoded(signed["protected"]))
        if request.content_type != JOSE or header["url"] != str(request.url):
            return self._problem(400, "malformed", "content type or url")
        jwk = header.get("jwk") or self.accounts.get(header.get("kid"))
        if jwk is None:
            return self._problem(400, "accountDoesNotExist")
        if not self._is_signed(jwk, signed):
            return self._problem(400, "malformed", "signature")
        if header["nonce"] not in self._nonces or self.bad_nonces:
            self.bad_nonces = max(self.bad_nonces - 1, 0)
            return self._problem(400, "badNonce")
        self._nonces.remove(header["nonce"])
        content = json.loads(decoded(signed["payload"]) or b"null")
        kind = request.path.split("/")[1]
        return await getattr(self, f"_on_{kind}")(request, jwk, content)

    def _is_signed(self, jwk, signed):
        x, y = (int.from_bytes(decoded(jwk[name]), "big") for name in "xy")
        signature = decoded(signed["signature"])
        halves = (int.from_bytes(each, "big") for each in (signature[:32], signature[32:]))
        try:
            ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key().verify(
                encode_dss_signature(*halves),
                f"{signed['protected']}.{signed['payload']}".encode(),
                ec.ECDSA(hashes.SHA256()),
            )
        except InvalidSignature:
            return False
        return len(signature) == 64

    async def _on_account(self, request, jwk, content):
        if content.get("termsOfServiceAgreed") is not True:
            return self._problem(403, "userActionRequired")
        self.contacts.append(content.get("contact"))
        location = f"{self.url}/account/{hashlib.sha256(json.dumps(jwk).encode()).hexdigest()[:8]}"
        known = location in self.accounts
        self.accounts[location] = jwk
        return self._read_response({"status": "valid"}, location, 200 if known else 201)

    async def _on_order(self, request, jwk, content):
        if "id" in request.match_info:
            return self._read_response(self._order_body(request.match_info["id"]))
        self.order_requests += 1
        if self.fault is not None:
            return self._problem(*self.fault)
        number = str(next(self._numbers))
        name = content["identifiers"][0]["value"]
        self.ordered.append(name)
        self._orders[number] = {
            "name": name,
            "status": "pending",
            "authz": "pending",
            "token": f"token_{number}",
            "jwk": jwk,
        }
        return self._read_response(self._order_body(number), f"{self.url}/order/{number}", 201)

    def _order_body(self, number):
        order = self._orders[number]
        body = {"status": order["status"], "authorizations": [f"{self.url}/authz/{number}"]}
        body["finalize"] = f"{self.url}/finalize/{number}"
        if order["status"] == "valid":
            body["certificate"] = f"{self.url}/cert/{number}"
        return body

    async def _on_authz(self, request, jwk, content):
        number = request.match_info["id"]
        order = self._orders[number]
        challenges = [
            {
                "type": kind,
                "url": f"{self.url}/challenge/{number}/{kind}",
                "token": order["token"],
                "status": order["authz"],
                **({"error": {"type": "urn:x:unauthorized", "detail": order["why"]}} if "why" in order else {}),
            }
            for kind in self.kinds
        ]
        return self._read_response({"status": order["authz"], "challenges": challenges})

    async def _on_challenge(self, request, jwk, content):
        number, kind = request.match_info["id"], request.match_info["kind"]
        validation = asyncio.create_task(self._validate(self._orders[number], kind))
        self._validations.add(validation)
        return self._read_response({"status": "processing"})

    async def _validate(self, order, kind):
        thumbprint = hashlib.sha256(json.dumps(order["jwk"], separators=(",", ":"), sort_keys=True).encode()).digest()
        expected = f"{order['token']}.{base64.urlsafe_b64encode(thumbprint).rstrip(b'=').decode()}"
        try:
            check = self._validate_tls if kind == "tls-alpn-01" else self._validate_http
            await check(order, expected)
        except Exception as error:
            order["authz"] = order["status"] = "invalid"
            order["why"] = f"{type(error).__name__} {error}"
        else:
            self.validated += 1
            await self.gate.wait()
            order["authz"], order["status"] = "valid", "ready"

    async def _validate_tls(self, order, expected):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["acme-tls/1"])
        _, writer = await asyncio.open_connection(
            "127.0.0.1", self.tls_port, ssl=context, server_hostname=order["name"]
        )
        agreed = writer.get_extra_info("ssl_object")
        certificate = x509.load_der_x509_certificate(agreed.getpeercert(True))
        writer.close()
        proof = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
        hosts = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert agreed.selected_alpn_protocol() == "acme-tls/1"
        assert proof.critical
        assert proof.value.value == b"\x04\x20" + hashlib.sha256(expected.encode()).digest()
        assert hosts.get_values_for_type(x509.DNSName) == [order["name"]]

    async def _validate_http(self, order, expected):
        url = f"http://127.0.0.1:{self.http_port}/.well-known/acme-challenge/{order['token']}"
        async with (
            ClientSession() as session,
            session.get(url, headers={"Host": self.http_host or order["name"]}) as response,
        ):
            found = await response.text()
            assert (response.status, found) == (200, expected)

    async def _on_finalize(self, request, jwk, content):
        number = request.match_info["id"]
        order = self._orders[number]
        signing_request = x509.load_der_x509_csr(decoded(content["csr"]))
        assert signing_request.is_signature_valid
        order["status"] = "valid"
        order["certificate"] = self._issue(order["name"], signing_request.public_key())
        return self._read_response(self._order_body(number))

    async def _on_cert(self, request, jwk, content):
        order = self._orders[request.match_info["id"]]
        return web.Response(body=order["certificate"], headers=self._new_nonce())

    def _issue(self, name, public_key):
        now = datetime.datetime.now(datetime.UTC)
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Fake Authority")])
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(seconds=1))
            .not_valid_after(now + datetime.timedelta(seconds=self.lifetime))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self._key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )
