"""What goes wrong because of something that the user can change."""


class CourseError(Exception):
    """One line that says what is wrong and what to type instead; the exit status is 2."""
