#!/usr/bin/env python3
"""moto's S3 server, whose conditional PUTs are atomic, as S3 says that its own are.

moto looks whether an object is there and stores it in two steps. Its threads may change between them: then two writers of one
key are both told that they created it. Here one PUT goes after the other.

usage: s3_server.py (the arguments of moto_server), by the Python that has moto
"""
import threading

from moto.s3.responses import S3Response
from moto.server import main

put_object, one_at_a_time = S3Response.put_object, threading.Lock()


def atomic_put_object(self):
    with one_at_a_time:
        return put_object(self)


S3Response.put_object = atomic_put_object

if __name__ == "__main__":
    main()
