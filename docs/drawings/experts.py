"""Expert-by-expert reordering: tokens wait in queues, each expert's weights are read once."""

from __future__ import annotations

from docs.drawings.svg import AMBER, BLUE, GREEN, GREY, SLATE, Drawing

_SHADES = (BLUE, GREEN, SLATE, AMBER)
_CHOSEN = ((0, 1), (3, 0), (1, 3), (0, 3), (1, 0), (3, 1))  # of each token, the better one first


def draw() -> Drawing:
    """Tokens with their two experts, the queues, the stream of weights."""
    drawing = Drawing(520, 456, "A gate fills one queue per expert; then each expert runs once, over its whole queue")
    drawing.text((4, 14), "tokens, each with its two experts", 15, GREY, "start")
    for token, pair in enumerate(_CHOSEN):
        x = 4 + token * 88
        drawing.rectangle((x, 30), (74, 60), stroke=GREY)
        drawing.text((x + 37, 44), f"token {token}", 14)
        for place, expert in enumerate(pair):
            drawing.box((x + 5 + place * 33, 58), (31, 26), f"E{expert}", _SHADES[expert], 14)
    drawing.arrow([(260, 94), (260, 116)])
    drawing.text((272, 105), "GATE appends row and score", 14, GREY, "start")
    for expert, fill in enumerate(_SHADES):
        y = 128 + expert * 50
        queue = [token for token, pair in enumerate(_CHOSEN) if expert in pair]
        drawing.box((4, y), (104, 40), f"expert {expert}", fill)
        for place, token in enumerate(queue):
            drawing.box((118 + place * 48, y), (42, 40), f"t{token}", fill)
        if queue:
            drawing.arrow([(126 + len(queue) * 48, y + 20), (376, y + 20)], fill)
            drawing.box((380, y), (136, 40), ("MLP, once", f"{len(queue)} tokens together"), fill, 14)
        else:
            drawing.text((118, y + 20), "empty: weights dropped, no time spent", 14, GREY, "start")
    drawing.text((4, 346), "one stream of weights, read forwards, fetched ahead", 15, GREY, "start")
    for expert, fill in enumerate(_SHADES):
        drawing.box((4 + expert * 128, 362), (120, 38), f"weights {expert}", fill, 14)
    drawing.arrow([(4, 416), (512, 416)])
    drawing.text((260, 440), "else a token's experts would be fetched for every token anew", 14)
    return drawing
