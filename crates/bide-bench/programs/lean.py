"""The least that an interpreter can do: answers requests over the socket that is its standard input.

A request and an answer are a length (4 bytes, little-endian) and as many bytes; the answer repeats the request.
"""
import socket

connection = socket.socket(fileno=0)
data = b""
while True:
    more = connection.recv(65536)
    if not more:
        break
    data += more
    end = 4 + int.from_bytes(data[:4], "little")
    if len(data) >= end:
        connection.sendall(data[:end])
        data = data[end:]
