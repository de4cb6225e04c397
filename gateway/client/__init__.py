"""A party's side: signs, sends, verifies the answer, keeps the receipt; for programs, ``Passerelle``."""
