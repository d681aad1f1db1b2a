"""How often a client may send."""

import time


class TokenBucket:
    """Allows `burst` frames at once, and `per_second` in the long run."""

    def __init__(self, per_second, burst):
        self.per_second = per_second
        self.burst = self.tokens = burst
        self.filled_at = time.monotonic()

    def take(self):
        """Return whether one more frame is allowed now."""
        now = time.monotonic()
        tokens = self.tokens + (now - self.filled_at) * self.per_second
        self.tokens, self.filled_at = min(tokens, self.burst), now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
