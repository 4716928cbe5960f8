"""The WSGI application that gunicorn and uwsgi serve in the tests: it says which process answered."""
import os


def application(environ, start_response):
    body = b"served\n"
    start_response("200 OK", [("Content-Type", "text/plain"),
                              ("Content-Length", str(len(body))),
                              ("X-Worker", str(os.getpid()))])
    return [body]
