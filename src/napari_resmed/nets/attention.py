"""From several feature vectors to one, and which of them counted."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["MIXERS", "GatedAttention", "Mixer"]

MIXERS = ("none", "gru", "lstm", "transformer")


class GatedAttention(nn.Module):
    """A weighted mean of vectors, the weights learnt (Ilse et al., ICML 2018, arXiv 1802.04712, equation 9).

    Parameters
    ----------
    width:
        Length of a vector.
    hidden:
        Of the two branches that make a weight.
    """

    def __init__(self, width: int, hidden: int = 64) -> None:
        super().__init__()
        self.content, self.gate, self.weight = nn.Linear(width, hidden), nn.Linear(width, hidden), nn.Linear(hidden, 1)

    def forward(self, vectors: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean ``(batch, width)`` and weights ``(batch, count)``, which sum to 1.

        Parameters
        ----------
        vectors:
            ``(batch, count, width)``.
        present:
            bool ``(batch, count)``: the others weigh nothing. At least one of each batch.
        """
        scores = self.weight(torch.tanh(self.content(vectors)) * torch.sigmoid(self.gate(vectors)))[..., 0].float()
        if present is not None:
            scores = scores.masked_fill(~present, -torch.inf)
        weights = torch.softmax(scores, 1)
        return (weights[..., None].to(vectors.dtype) * vectors).sum(1), weights


class Mixer(nn.Module):
    """Lets the vectors of a sequence know of each other and of their order.

    Takes and gives ``(batch, count, width)``; the width it gives is ``self.width``.

    Parameters
    ----------
    kind:
        ``"gru"`` or ``"lstm"``, both ways; ``"transformer"``, one block of it; ``"none"``: each stays by itself.
    width:
        Length of a vector that comes in.
    hidden:
        Length of one that goes out.
    heads:
        Of the transformer's attention.
    dropout:
        In the transformer.
    """

    def __init__(self, kind: str, width: int, hidden: int = 128, heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        if kind not in MIXERS:
            raise ValueError(f"mixer {kind!r}, expected one of {', '.join(MIXERS)}")
        if hidden % 2 or (kind == "transformer" and hidden % heads):
            raise ValueError(f"hidden {hidden}, expected an even multiple of the {heads} heads")
        self.kind = kind
        self.width = width if kind == "none" else hidden
        self.recurrent: nn.GRU | nn.LSTM | None = None
        if kind in ("gru", "lstm"):
            made = nn.GRU if kind == "gru" else nn.LSTM
            self.recurrent = made(width, hidden // 2, batch_first=True, bidirectional=True)
            if kind == "lstm":
                _remember(self.recurrent)
        if kind == "transformer":
            self.embed = nn.Linear(width, hidden)
            self.block = nn.TransformerEncoderLayer(
                hidden, heads, 2 * hidden, dropout, batch_first=True, norm_first=True
            )

    def forward(self, vectors: Tensor) -> Tensor:
        """The sequence, mixed."""
        if self.recurrent is not None:
            mixed: Tensor = self.recurrent(vectors)[0]
            return mixed
        if self.kind == "none":
            return vectors
        embedded = self.embed(vectors)
        out: Tensor = self.block(embedded + _places(embedded))
        return out


def _remember(recurrent: nn.Module) -> None:
    """Begin with open forget gates, or a long sequence is forgotten before it is learnt from (Gers et al., 2000)."""
    for name, bias in recurrent.named_parameters():
        if name.startswith("bias_ih"):
            own = len(bias) // 4
            nn.init.constant_(bias[own : 2 * own], 1.0)


def _places(vectors: Tensor) -> Tensor:
    """Where in the sequence a vector stands, as sines and cosines (Vaswani et al., 2017, section 3.5)."""
    count, width = vectors.shape[1:]
    rates = torch.exp(torch.arange(0, width, 2, device=vectors.device) * (-torch.log(torch.tensor(1e4)) / width))
    angles = torch.arange(count, device=vectors.device)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).reshape(count, width).to(vectors.dtype)
