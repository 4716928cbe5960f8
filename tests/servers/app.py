"""The WSGI application that gunicorn and uwsgi serve in the tests: it says which process answered, after as many ms as
the path /busy?ms=N asks for."""
import os
import time


def application(environ, start_response):
    if environ["PATH_INFO"] == "/busy":
        time.sleep(float(environ["QUERY_STRING"].partition("=")[2]) / 1000)
    body = b"served\n"
    start_response("200 OK", [("Content-Type", "text/plain"),
                              ("Content-Length", str(len(body))),
                              ("X-Worker", str(os.getpid()))])
    return [body]
