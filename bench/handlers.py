"""A server whose connects are answered by a function in its own process, to be measured as the proxy is:

fanjet bench connect-proxy --server '{python} bench/handlers.py {config}' --peer '{python} -m fanjet -c {config}'
"""

import sys

import fanjet

server = fanjet.Server(sys.argv[1])
REPLY = fanjet.ConnectReply(user="42")


@server.on_connect
async def connect(event: fanjet.ConnectEvent) -> fanjet.ConnectReply:
    return REPLY


sys.exit(server.run())
