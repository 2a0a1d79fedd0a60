"""Writes the whole core as one file, for those who copy it into their project.

    python native/tools/amalgamate.py OUT

OUT gets `textapp.c` and `textapp.h`. On x86 it holds all kernels, and the core asks the processor which of them it has.
Elsewhere the kernels are those that the options of the compiler allow: `-march=armv8.2-a+dotprod`, for example, adds
those of the dot product for all of it. On AArch64, `-DTEXTAPP_CALLER_CHECKS_PROCESSOR` adds them beside the others:
then the caller of `textapp_load` must leave out of `features` what the processor does not have.
"""

import argparse
import re
from collections import Counter
from pathlib import Path

NATIVE = Path(__file__).parents[1]
_INCLUDE = re.compile(r'^#include "([^"]+)"[^\n]*\n', re.MULTILINE)
_SKIPPED = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
_MACRO = re.compile(r"^#\s*define (\w+)", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")
_NEEDED = re.compile(r"(?<!!)defined\((__[A-Z0-9_]+)\)")
_PROCESSORS = {  # of kernels.txt -> the condition that a kernel's instructions may be compiled for it, and the header
    "x86_64": ("defined(__x86_64__) || defined(__i386__)", "immintrin.h"),
    "aarch64": ("defined(__aarch64__) && defined(TEXTAPP_CALLER_CHECKS_PROCESSOR)", "arm_neon.h"),
}
_SINCE = {  # the first versions of gcc and clang that know the instructions for a part of a file
    "kernels_avx_vnni": (11, 12),
    "kernels_neon_dot": (8, 16),
}


def main() -> None:
    """Writes both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the two files")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    (out / "textapp.h").write_text((NATIVE / "include/textapp.h").read_text(encoding="utf-8"), encoding="utf-8")
    (out / "textapp.c").write_text(amalgamation(), encoding="utf-8")


def amalgamation() -> str:
    """The content of textapp.c."""
    sources = {path.stem: path.read_text(encoding="utf-8") for path in sorted((NATIVE / "src").glob("*.c"))}
    users = Counter(word for text in sources.values() for word in set(_WORD.findall(_SKIPPED.sub(" ", text))))
    headers: list[str] = []
    parts: list[str] = []
    for stem, text in sources.items():
        whole = _with_templates(text)
        part = _with_headers(_renamed(stem, whole, users), headers)
        parts += [*_for_processor(stem, text, part), _undefined(whole)]
    start = "/* The core of textapp in one file, written by native/tools/amalgamate.py. textapp.h is its manual. */\n"
    return start + "\n".join(parts)


def _with_templates(text: str) -> str:
    """A file with the headers in place that have no include guard, as each file that includes them needs them."""

    def content(match: re.Match[str]) -> str:
        header = NATIVE / "src" / match[1]
        template = header.read_text(encoding="utf-8") if header.exists() else "#ifndef"
        return match[0] if re.search(r"^#ifndef", template, re.MULTILINE) else template

    return _INCLUDE.sub(content, text)


def _with_headers(text: str, done: list[str]) -> str:
    """A file with the headers in place that no file before it has."""

    def content(match: re.Match[str]) -> str:
        name = match[1]
        if name == "textapp.h":
            return match[0] if name not in done and not done.append(name) else ""
        if name in done:
            return ""
        done.append(name)
        return _with_headers((NATIVE / "src" / name).read_text(encoding="utf-8"), done)

    return _INCLUDE.sub(content, text)


def _renamed(stem: str, text: str, users: Counter[str]) -> str:
    """A file whose own names have its name in them, where other files use the same words."""
    plain = _SKIPPED.sub(" ", text)
    found = set(re.findall(r"^static\s[^;{=(]*?(\w+)\s*(?:\(|=|\[|;)", plain, re.MULTILINE))
    found |= set(re.findall(r"^}\s*(\w+);", plain, re.MULTILINE))
    found |= set(re.findall(r"^typedef\s[^;{]*?(\w+)\s*;", plain, re.MULTILINE))
    for names in re.findall(r"^(?:typedef )?enum\s*\w*\s*{([^}]*)}", plain, re.MULTILINE):
        found |= set(re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|$)", names.strip()))
    found -= set(_MACRO.findall(text))
    renamed = {name for name in found if users[name] > 1 and not name.startswith("ta_")}
    pieces: list[str] = []
    end = 0
    for skipped in [*_SKIPPED.finditer(text), None]:
        code = text[end : skipped.start() if skipped else len(text)]
        pieces.append(
            re.sub(
                r"(\.\s*|->\s*)?\b([A-Za-z_]\w*)",
                lambda match: match[0] if match[1] or match[2] not in renamed else f"{match[2]}_in_{stem}",
                code,
            )
        )
        if skipped:
            pieces.append(skipped[0])
            end = skipped.end()
    return "".join(pieces)


def _for_processor(stem: str, text: str, part: str) -> list[str]:
    """A file in pragmas that let the compiler use the instructions of its kernels in this part alone.

    gcc then defines the macros that the file asks for. clang does not, so they are defined here and undefined after it.
    The header of the intrinsics comes before clang's pragma, which would change the functions in it.
    """
    processors, *options = _options().get(f"{stem}.c", [""])
    processor = next((name for name in _PROCESSORS if name in processors.split(",")), None)
    if processor is None:
        return [part]
    condition, header = _PROCESSORS[processor]
    target = ",".join(re.sub("^-march", "arch", option).removeprefix("-m") for option in options)
    gcc, clang = _SINCE.get(stem, (8, 7))
    macros = sorted(set(_NEEDED.findall(text)))
    define = "".join(f"#ifndef {name}\n#define {name} 1\n#define TA_DEFINED{name}\n#endif\n" for name in macros)
    undefine = "".join(f"#ifdef TA_DEFINED{name}\n#undef {name}\n#undef TA_DEFINED{name}\n#endif\n" for name in macros)
    is_clang = f"#if ({condition}) && defined(__clang__) && __clang_major__ >= {clang}\n"
    is_gcc = f"#elif ({condition}) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= {gcc}\n"
    return [
        f"{is_clang}#include <{header}>\n"
        f'#pragma clang attribute push(__attribute__((target("{target}"))), apply_to = function)\n{define}'
        f'{is_gcc}#pragma GCC push_options\n#pragma GCC target("{target}")\n#endif\n',
        part,
        f"{is_clang}{undefine}#pragma clang attribute pop\n{is_gcc}#pragma GCC pop_options\n#endif\n",
    ]


def _options() -> dict[str, list[str]]:
    """Name of each file of kernels -> its processors, and the options that it needs."""
    table = (NATIVE / "kernels.txt").read_text(encoding="utf-8")
    rows = [line.partition("#")[0].split() for line in table.splitlines()]
    return {row[0]: row[1:] for row in rows if row}


def _undefined(text: str) -> str:
    """The end of a file's macros."""
    names = dict.fromkeys(_MACRO.findall(text))
    return "".join(f"#undef {name}\n" for name in names)


if __name__ == "__main__":
    main()
