"""When connections of a rig are to break."""

from __future__ import annotations


class Plan:
    """What is to break: the connection `after` so many statements, or the next COMMIT (`commit`: not sent, `answer`: sent)."""

    def __init__(self) -> None:
        self.after: int | None = None
        self.lose = ""

    def breaks(self, statement: object) -> bool:
        """Whether the connection breaks at this statement; counts it."""
        if (self.lose and statement == "COMMIT") or self.after == 0:
            self.after = None
            return True
        if self.after is not None:
            self.after -= 1
        return False

    def answer_is_lost(self) -> bool:
        """Whether the statement at which the connection breaks is done all the same; asked once."""
        lost, self.lose = self.lose, ""
        return lost == "answer"

    def heal(self) -> bool:
        """Takes back what has not happened; says whether there was anything."""
        waiting = self.after is not None or bool(self.lose)
        self.after, self.lose = None, ""
        return waiting
