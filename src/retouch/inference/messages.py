"""Sentences that hold for all photos of a batch alike; no PyTorch is loaded to know them."""

UNUSED_MASK = (
    "this model finds by itself what was pasted and does not use the mask, so the photo can change anywhere: "
    "--confine MASK keeps everything outside a mask as it is"
)
