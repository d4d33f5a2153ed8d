"""Edits of a request body that leave every byte alone but those concerned: members out, members in.

For endpoints that want a field elsewhere than in the body, or cannot take it. The body was checked by `request`, so
names are unique and the JSON is whole; it is read here once more, at the speed of a skip. Names are compared as
unescaped. Knows nothing of what the fields mean.
"""

from libc.string cimport memset

from fastgate._core.octets cimport Room, free_room, taken
from fastgate._core.octets cimport put as put_bytes
from fastgate._core.span cimport (
    Cursor,
    Span,
    Text,
    byte_t,
    next_item,
    next_member,
    open_array,
    open_object,
    skip_space,
    text_is,
)

__all__ = ["members", "splice"]


cdef bint named(Text key, tuple names) except -1:
    cdef bytes name
    for name in names:
        if text_is(key, <const char*>name, len(name)):
            return True
    return False


cdef Span whole(bytes body) noexcept:
    cdef Span span
    cdef const byte_t* end = <const byte_t*><const char*>body + len(body)
    span.p = skip_space(<const byte_t*><const char*>body, end)
    span.n = end - span.p
    return span


cdef const byte_t* edit(
    Room* out, Span value, tuple drop, bytes first, tuple tool_drop, const byte_t* done
) except NULL:
    """Copy from `done` towards the end of the object `value`, edited; past what was copied or left out.

    A dropped member takes the comma after it along, the last ones the comma before them.
    """
    cdef Cursor cursor
    cdef Text key
    cdef Span member
    cdef const byte_t* kept_end = NULL  # of the last member that stays; NULL before the first
    cdef bint dropping = False
    if not open_object(value, &cursor):
        return done
    if first:
        put_bytes(out, done, cursor.p - done)
        put_bytes(out, <const char*>first, len(first))
        done = cursor.p
    while next_member(&cursor, &key, &member) == 1:
        if named(key, drop):
            if not dropping and kept_end != NULL:
                put_bytes(out, done, kept_end - done)
            elif not dropping and not first:
                put_bytes(out, done, value.p + 1 - done)
            done = member.p + member.n
            dropping = True
            continue
        if kept_end == NULL and first or kept_end != NULL and dropping:
            put_bytes(out, b",", 1)
        if dropping:
            done = key.p - 1
        dropping = False
        kept_end = member.p + member.n
        if tool_drop and text_is(key, b"tools", 5):
            done = edit_tools(out, member, tool_drop, done)
    if dropping:
        done = cursor.p - 1  # the closing brace
    return done


cdef const byte_t* edit_tools(Room* out, Span tools, tuple drop, const byte_t* done) except NULL:
    cdef Cursor cursor
    cdef Span tool
    if open_array(tools, &cursor):
        while next_item(&cursor, &tool) == 1:
            done = edit(out, tool, drop, b"", (), done)
    return done


def splice(bytes body not None, tuple drop=(), bytes put not None=b"", tuple tool_drop=()):
    """`body` without the members in `drop`, with `put` at its beginning; see splice.pyi."""
    cdef Room out
    memset(&out, 0, sizeof(Room))
    try:
        return spliced(&out, body, drop, put, tool_drop)
    finally:
        free_room(&out)


cdef bytes spliced(Room* out, bytes body, tuple drop, bytes first, tuple tool_drop):
    cdef Span outer = whole(body)
    cdef const byte_t* done
    if outer.n == 0 or outer.p[0] != c"{":
        raise ValueError("not a JSON object")
    done = edit(out, outer, drop, first, tool_drop, <const byte_t*><const char*>body)
    put_bytes(out, done, outer.p + outer.n - done)
    return taken(out)


def members(bytes body not None, tuple names):
    """The values, as they stand, of the members of these names that `body` has at its top."""
    cdef Cursor cursor
    cdef Text key
    cdef Span member
    cdef bytes name
    cdef dict found = {}
    if not open_object(whole(body), &cursor):
        return found
    while next_member(&cursor, &key, &member) == 1:
        for name in names:
            if text_is(key, <const char*>name, len(name)):
                found[name] = (<const char*>member.p)[:member.n]
    return found
