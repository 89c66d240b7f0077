"""Client ids are UUIDs of version 4, unique across processes."""

import subprocess
import sys
import uuid

from fanjet.client.client_id import BLOCK_BYTES, ClientIds, new_client_id

MORE_THAN_A_BLOCK = BLOCK_BYTES // 16 * 3 + 1


def test_every_id_is_a_random_uuid_in_its_usual_form():
    for _ in range(MORE_THAN_A_BLOCK):
        text = new_client_id()
        read = uuid.UUID(text)
        assert str(read) == text
        assert (read.version, read.variant) == (4, uuid.RFC_4122)


def test_ids_are_unique():
    ids = ClientIds()
    assert len({ids.new() for _ in range(MORE_THAN_A_BLOCK)}) == MORE_THAN_A_BLOCK


def test_every_random_bit_is_used():
    ids = ClientIds()
    numbers = [uuid.UUID(ids.new()).int for _ in range(MORE_THAN_A_BLOCK)]
    ones = zeros = 0
    for number in numbers:
        ones |= number
        zeros |= ~number
    assert (ones & zeros & (2**128 - 1)).bit_count() == 122


FORK = """
import os
from fanjet.client.client_id import new_client_id
new_client_id()
child = os.fork()
if child:
    os.waitpid(child, 0)
os.write(1, (new_client_id() + " ").encode())  # one call, whatever the buffering
if not child:
    os._exit(0)
"""


def test_a_forked_process_has_ids_of_its_own():
    finished = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)
    of_child, of_parent = finished.stdout.split()
    assert of_child != of_parent
