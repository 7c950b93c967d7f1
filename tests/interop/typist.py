"""Runs a command on a terminal of its own and types the answer whenever it asks a question with a certain word.

`python typist.py WORD ANSWER COMMAND...` passes on what the command shows, and its exit code.
"""

import os
import pty
import sys
import termios
import time


def wait_for_dark(terminal: int) -> None:
    """Waits until the terminal no longer echoes: programs ask first and turn the echo off then."""
    deadline = time.monotonic() + 30
    while termios.tcgetattr(terminal)[3] & termios.ECHO and time.monotonic() < deadline:
        time.sleep(0.001)


def main(word: str, answer: str, *command: str) -> int:
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    shown, answered = b"", 0
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux says so when the command has closed its terminal
            piece = b""
        if not piece:
            break
        shown += piece
        question = shown[answered:].lower()
        if word.encode() in question and question.rstrip(b" ").endswith((b":", b"[y/n]")):
            answered = len(shown)
            if question.rstrip(b" ").endswith(b":"):
                wait_for_dark(terminal)
            os.write(terminal, answer.encode() + b"\n")
    sys.stdout.buffer.write(shown)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


sys.exit(main(*sys.argv[1:]))
