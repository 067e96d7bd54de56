"""Random programs: functions that await and call each other, ask sources for keys, and fail.

A program is what JSON can hold:

    program     {"sources": [source, ..], "body": body}
    source      {"answer": one of ANSWERS, "priority": number or null}
    body        a list of statements, the code of one function
    statement   ["await", expression]           its value goes into the result of the function
                ["call", body]                  a synchronous call
                ["get", source, key]            the value of an item, without awaiting it
                ["make", body]                  makes a task that "made" can refer to
                ["with", body]                  in a context
                ["try", body]                   catches
                ["raise", text]
                ["return"]
    expression  null
                ["item", source, key]
                ["run", body]                   a task of its own
                ["made", n]                     one of the tasks made before
                ["const", n], ["lazy", n], ["error", text]
                ["list", [..]], ["tuple", [..]], ["dict", {..}]

Names: a statement is named by its place, `0.2.1`, which is unique as nothing runs twice.
"""

from hypothesis import strategies as st

DEPTH = 4
#: So many statements and expressions at most, more or less.
SIZE = 120

ANSWERS = ["double"] * 5 + ["fail odd", "fail all", "forget odd"]
LEAVES = ["item"] * 6 + ["made"] * 3 + ["const", "lazy", "error", "none"]
EXPRESSIONS = ["tasks"] * 6 + ["list", "tuple", "dict", "run"] + ["leaf"] * 3
STATEMENTS = ["await"] * 6 + ["make", "with", "try", "call"] * 2 + ["get"]
ENDINGS = ["none"] * 6 + ["return", "raise"]


class Maker:
    """Creates the parts of one program with `draw`, which Hypothesis passes to strategies."""

    def __init__(self, draw, without):
        self.draw = draw
        self.statements, self.expressions, self.leaves = (
            [kind for kind in kinds if kind not in without]
            for kinds in (STATEMENTS, EXPRESSIONS, LEAVES)
        )
        self.left = SIZE

    def one_of(self, choices):
        return self.draw(st.sampled_from(choices))

    def body(self, depth):
        body = [self.statement(depth) for _ in range(self.one_of([1, 1, 2, 2, 3]))]
        ending = self.one_of(ENDINGS)
        if ending == "return":
            body.append(["return"])
        elif ending == "raise":
            body.append(["raise", self.one_of("abc")])
        return body

    def statement(self, depth):
        self.left -= 1
        kind = self.one_of(self.statements)
        if kind == "get":
            return ["get", *self.item()]
        if kind == "await" or depth == 0 or self.left < 0:
            return ["await", self.expression(depth)]
        return [kind, self.body(depth - 1)]

    def expression(self, depth):
        self.left -= 1
        kind = self.one_of(self.expressions)
        if kind == "leaf" or depth == 0 or self.left < 0:
            return self.leaf()
        if kind == "run":
            return ["run", self.body(depth - 1)]
        count = self.one_of([1, 2, 2, 3, 3])
        if kind == "tasks":
            return ["list", [["run", self.body(depth - 1)] for _ in range(count)]]
        parts = [self.expression(depth - 1) for _ in range(count)]
        return ["dict", dict(zip("cab", parts))] if kind == "dict" else [kind, parts]

    def leaf(self):
        kind = self.one_of(self.leaves)
        if kind == "none":
            return None
        if kind == "item":
            return ["item", *self.item()]
        if kind == "error":
            return ["error", self.one_of("abc")]
        return [kind, self.one_of(range(10))]

    def item(self):
        return self.one_of(range(4)), self.one_of(range(6))


@st.composite
def programs(draw, *, without=(), priorities=False):
    """Programs without certain kinds of statements and expressions.

    The priority of a source is its own or the default, the number of items.
    """
    numbers = draw(st.permutations(range(draw(st.integers(1, 4)))))
    sources = [
        {"answer": draw(st.sampled_from(ANSWERS)), "priority": number if priorities else None}
        for number in numbers
    ]
    return {"sources": sources, "body": Maker(draw, without).body(DEPTH)}
