"""The ASGI application that uvicorn serves in the tests: it says which process answered."""
import os


async def application(scope, receive, send):
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"7"), (b"connection", b"close"),
               (b"x-worker", str(os.getpid()).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"served\n"})
