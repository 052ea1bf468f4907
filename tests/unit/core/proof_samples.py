"""Three records of one hospital, their batch, a second version of the first, and a log."""

from dataclasses import replace

from eth_utils.crypto import keccak

from medaccord.core.anchors import Anchor
from medaccord.core.audit import log_leaf
from medaccord.core.canonical import parse_object, record_bytes
from medaccord.core.identifiers import ZERO_DIGEST, Digest, address
from medaccord.core.merkle import MerkleTree
from medaccord.core.pointers import Pointer, record_key
from medaccord.core.proofs import LogProof, RecordProof
from medaccord.core.record_state import NewestProof, anchored_root, state_value, tree_root
from medaccord.core.sparse_map import SparseMap

HOSPITAL = address("0x" + "11" * 20)
STRANGER = address("0x" + "22" * 20)
RECORDS, LOGS, OTHER = (Digest(bytes([n]) * 32) for n in (1, 2, 3))

RECORD_TEXTS = [
    '{"resourceType":"Observation","id":"a","valueQuantity":{"value":1.00}}',
    '{"resourceType":"Observation","id":"b","valueQuantity":{"value":37.5}}',
    '{"resourceType":"Condition","id":"c"}',
]
BYTES = [record_bytes(parse_object(text)) for text in RECORD_TEXTS]


def pointer(number: int) -> Pointer:
    resource = parse_object(BYTES[number])
    return Pointer(
        steward=HOSPITAL,
        topic=RECORDS,
        record=record_key(f"{resource['resourceType']}/{resource['id']}"),
        version=1,
        plaintext=Digest(keccak(BYTES[number])),
        ciphertext=OTHER,
        salt=Digest(bytes([number]) * 32),
    )


def anchor(topic: Digest, root: Digest) -> Anchor:
    return Anchor(
        account=HOSPITAL,
        topic=topic,
        previous=ZERO_DIGEST,
        root=root,
        head=Digest(keccak(root)),
        block_number=12,
        transaction=OTHER,
    )


POINTERS = [pointer(number) for number in range(3)]
BATCH = MerkleTree([each.leaf for each in POINTERS])
ANCHOR = anchor(RECORDS, BATCH.root)
PROOFS = [
    RecordProof(pointer=each, siblings=BATCH.proof(number), anchor=ANCHOR)
    for number, each in enumerate(POINTERS)
]

# A first batch with three records; then a second version of the first of them.
STATE = SparseMap({each.record: state_value(1, each.leaf) for each in POINTERS})
SECOND = replace(POINTERS[0], version=2, plaintext=Digest(keccak(b"{}")))
NEXT_STATE = SparseMap(
    {each.record: state_value(each.version, each.leaf) for each in (SECOND, *POINTERS[1:])}
)
FIRST_ANCHOR = anchor(RECORDS, anchored_root(BATCH.root, STATE.root))
NEXT_TREE = tree_root([SECOND.leaf])
NEXT_ANCHOR = replace(
    anchor(RECORDS, anchored_root(NEXT_TREE, NEXT_STATE.root)),
    previous=FIRST_ANCHOR.head,
    block_number=14,
)


def newest_of(number: int, *, after: bool = False) -> NewestProof:
    """What the first append, or the second, says of a record."""
    newest = SECOND if after and number == 0 else POINTERS[number]
    state = NEXT_STATE if after else STATE
    return NewestProof(
        version=newest.version,
        leaf=newest.leaf,
        siblings=state.proof(newest.record),
        tree=NEXT_TREE if after else BATCH.root,
        state=state.root,
        anchor=NEXT_ANCHOR if after else FIRST_ANCHOR,
    )


NEWER = [
    RecordProof(
        pointer=each,
        siblings=BATCH.proof(number),
        anchor=FIRST_ANCHOR,
        state=STATE.root,
        newest=newest_of(number),
    )
    for number, each in enumerate(POINTERS)
]

KEY, HEAD = Digest(b"\x07" * 32), Digest(b"\x08" * 32)
MAP = SparseMap({KEY: log_leaf(3, HEAD), OTHER: log_leaf(1, OTHER)})
LOG_ANCHOR = anchor(LOGS, MAP.root)
LOG_PROOF = LogProof(
    relationship=KEY, count=3, head=HEAD, siblings=MAP.proof(KEY), anchor=LOG_ANCHOR
)
CHAIN = {ANCHOR, LOG_ANCHOR, FIRST_ANCHOR, NEXT_ANCHOR}.__contains__
