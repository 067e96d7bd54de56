"""Flow of awaited values: which statements of a function need the value of which `await`.

Two awaits one after the other take two rounds, which is right if the second one needs the value of
the first. The order of events cannot tell, so this module reads the code. In doubt, a value counts
as needed: what a condition depends on is needed by all that it decides about, and an object by all
that use it after something was stored in it.
"""

import ast
import linecache

_NOTHING = frozenset()
_AWAITS = (ast.Await, ast.Yield, ast.YieldFrom)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

# Functions that use all values of a generator expression, or call a lambda for each of their
# values.
_USES_ALL = {"dict", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple"}


def flows(lines_by_file):
    """Yields file, first and last line, needs, loop and `carried` of statements of the code.

    These are the statements that await something, or are at one of the given lines.

    `lines_by_file` has the lines of the recording by file: `{file: {line: is_call}}`, where
    `is_call` says that a synchronous call was made there. A file that cannot be read has no flows.
    """
    for file, lines in lines_by_file.items():
        try:
            tree = ast.parse("".join(linecache.getlines(file)))
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, _FUNCTIONS) and _has_line(node, lines):
                for found in _Flow(lines).of(node):
                    yield file, *found


def _has_line(function, lines):
    return any(function.lineno <= line <= function.end_lineno for line in lines)


class _Flow:
    """The statements of one function.

    Variables have a set of the awaits on which their value depends: the line of an await, or
    `(line, loop)` for one that was made in an earlier turn of a loop.
    """

    def __init__(self, lines):
        self._lines = lines
        self._found = {}
        self._loops = []

    def of(self, function):
        self._block(function.body, {}, _NOTHING)
        for line in sorted(self._found):
            found = self._found[line]
            yield line, found["end"], found["needs"], found.get("loop"), found["carried"]

    # Statements. Each method returns the awaits that decide whether the next statement runs: those
    # behind a `return` or `raise`, and those behind a `break` or `continue`.

    def _block(self, statements, values, control):
        leaves = ends_turn = _NOTHING
        for statement in statements:
            leave, end_turn = self._statement(statement, values, control | leaves | ends_turn)
            leaves |= leave
            ends_turn |= end_turn
        return leaves, ends_turn

    def _statement(self, node, values, control):
        handler = getattr(self, f"_{type(node).__name__.lower()}", self._simple)
        return handler(node, values, control)

    def _simple(self, node, values, control):
        used = self._note(node, [node], node.end_lineno, values, control)
        if isinstance(node, ast.Assign):
            self._bind(node.targets, used, values)
        elif isinstance(node, ast.AugAssign):
            self._bind([node.target], used | self._read(node.target, values), values)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._bind([node.target], used, values)
        elif isinstance(node, ast.Expr):
            if isinstance(node.value, _AWAITS):
                return used | {node.lineno}, _NOTHING  # It is awaited for its effects.
            self._store(node.value, used, values)
        return _NOTHING, _NOTHING

    def _return(self, node, values, control):
        self._simple(node, values, control)
        return control, _NOTHING

    _raise = _return

    def _break(self, node, values, control):
        return _NOTHING, control

    _continue = _break

    def _assert(self, node, values, control):
        return self._note(node, [node], node.end_lineno, values, control), _NOTHING

    def _functiondef(self, node, values, control):
        used = self._read(node, values) | control
        values[node.name] = used
        return _NOTHING, _NOTHING

    _asyncfunctiondef = _classdef = _functiondef

    def _if(self, node, values, control):
        decides = self._note(node, [node.test], node.test.end_lineno, values, control)
        return self._branches([node.body, node.orelse], values, control | decides)

    def _match(self, node, values, control):
        decides = self._note(node, [node.subject], node.subject.end_lineno, values, control)
        for case in node.cases:
            decides |= self._read(case.pattern, values)
            if case.guard is not None:
                decides |= self._read(case.guard, values)
            for pattern in ast.walk(case.pattern):
                for name in (getattr(pattern, "name", None), getattr(pattern, "rest", None)):
                    if name:
                        values[name] = decides
        return self._branches([case.body for case in node.cases], values, control | decides)

    def _branches(self, branches, values, control):
        leaves = ends_turn = _NOTHING
        ends = []
        for statements in branches:
            end = dict(values)
            leave, end_turn = self._block(statements, end, control)
            leaves |= leave
            ends_turn |= end_turn
            ends.append(end)
        for end in ends:
            _merge(values, end)
        return leaves, ends_turn

    def _with(self, node, values, control):
        head = [item.context_expr for item in node.items]
        entered = self._note(node, head, head[-1].end_lineno, values, control)
        if isinstance(node, ast.AsyncWith):
            entered |= {node.lineno}
        for item in node.items:
            if item.optional_vars is not None:
                self._bind([item.optional_vars], entered, values)
        return self._block(node.body, values, control | entered)

    _asyncwith = _with

    def _try(self, node, values, control):
        before = dict(values)
        leaves, ends_turn = self._block(node.body, values, control)
        awaits = {line for line in self._found if _is_in(line, node.body)}
        failed = control | awaits
        _merge(values, before)
        for handler in node.handlers:
            if handler.name:
                values[handler.name] = failed
            leave, end_turn = self._block(handler.body, values, failed)
            leaves |= leave
            ends_turn |= end_turn
        for statements in (node.orelse, node.finalbody):
            leave, end_turn = self._block(statements, values, control | leaves)
            leaves |= leave
            ends_turn |= end_turn
        return leaves, ends_turn

    _trystar = _try

    def _for(self, node, values, control):
        head = self._note(node, [node.iter], node.iter.end_lineno, values, control)
        if isinstance(node, ast.AsyncFor):
            head |= {node.lineno}
            self._found[node.lineno]["loop"] = node.lineno
            self._found[node.lineno]["carried"] = True

        def turn(control):
            self._bind([node.target], head, values)
            return self._block(node.body, values, control | head)

        return self._loop(node, turn, values, control)

    _asyncfor = _for

    def _while(self, node, values, control):
        def turn(control):
            decides = self._note(node, [node.test], node.test.end_lineno, values, control)
            return self._block(node.body, values, control | decides)

        return self._loop(node, turn, values, control)

    def _loop(self, node, turn, values, control):
        before = dict(values)
        self._loops.append(node.lineno)
        leaves, ends_turn = turn(control)
        # In the next turn, whatever was awaited inside was awaited by an earlier one.
        for name, awaits in values.items():
            values[name] = self._carried(awaits, node)
        _merge(values, before)
        again = turn(control | self._carried(leaves | ends_turn, node) - control)
        self._loops.pop()
        for name, awaits in values.items():
            values[name] = _plain(awaits, node)
        _merge(values, before)
        leaves = _plain(leaves | again[0], node)
        after = self._block(node.orelse, values, control | _plain(ends_turn | again[1], node))
        return leaves | after[0], after[1]

    def _carried(self, awaits, loop):
        return frozenset(
            (line, loop.lineno) if isinstance(line, int) and _is_in(line, [loop]) else line
            for line in awaits
        )

    # Expressions

    def _note(self, node, expressions, end, values, control):
        """Notes a statement. Returns the awaits on which its value depends."""
        used = control
        for expression in expressions:
            used |= self._read(expression, values)
        awaits = [one for expression in expressions for one in _awaits(expression)]
        recorded = [line for line in self._lines if node.lineno <= line <= end]
        calls = any(self._lines[line] for line in recorded)
        if awaits or recorded or isinstance(node, (ast.AsyncFor, ast.AsyncWith)):
            needs = control
            for expression in expressions:
                for name in _operands(expression) if awaits else _arguments(expression):
                    needs |= values.get(name, _NOTHING)
            self._add(node, expressions, end, needs, awaits)
        return used | {node.lineno} if awaits or calls else used

    def _add(self, node, expressions, end, used, awaits):
        find = _loops_with_awaits if awaits else _loops_with_calls
        loops = [one for expression in expressions for one in find(expression)]
        loop = loops[-1] if loops else self._loops[-1] if self._loops else None
        flow = self._found.setdefault(node.lineno, {"end": end, "needs": [], "carried": False})
        needs = {line if isinstance(line, int) else line[0] for line in used}
        if any(_awaits(inner) for one in awaits for inner in ast.iter_child_nodes(one)):
            needs.add(node.lineno)  # One of its awaits needs the value of another.
        flow["needs"] = sorted(needs.union(flow["needs"]))
        if loop is not None:
            flow["loop"] = loop
            is_carried = not loops and any(one[1] == loop for one in used if one.__class__ is tuple)
            flow["carried"] = flow["carried"] or is_carried

    def _read(self, expression, values):
        used = _NOTHING
        for name in _names(expression):
            used |= values.get(name, _NOTHING)
        for node in ast.walk(expression):
            if isinstance(node, ast.NamedExpr):
                lines = {expression.lineno} if _awaits(node.value) else _NOTHING
                values[node.target.id] = self._read(node.value, values) | lines
        return used

    def _bind(self, targets, used, values):
        for target in targets:
            if isinstance(target, ast.Name):
                values[target.id] = used
            elif isinstance(target, (ast.Tuple, ast.List)):
                self._bind(target.elts, used, values)
            elif isinstance(target, ast.Starred):
                self._bind([target.value], used, values)
            else:
                self._store(target, used, values)

    def _store(self, expression, used, values):
        """Notes that something may be stored in the objects of an expression."""
        if not used:
            return
        if isinstance(expression, _AWAITS):
            return  # Of arguments of tasks, nobody expects that they change.
        objects = [expression]
        if isinstance(expression, ast.Call):
            function = expression.func
            objects = [function.value] if isinstance(function, ast.Attribute) else []
            objects += expression.args
        for one in objects:
            while isinstance(one, (ast.Attribute, ast.Subscript, ast.Starred)):
                one = one.value
            if isinstance(one, ast.Name):
                values[one.id] = values.get(one.id, _NOTHING) | used


def _merge(values, others):
    for name, awaits in others.items():
        values[name] = values.get(name, _NOTHING) | awaits


def _plain(awaits, loop):
    return frozenset(
        one[0] if one.__class__ is tuple and one[1] == loop.lineno else one for one in awaits
    )


def _is_in(line, statements):
    return any(one.lineno <= line <= one.end_lineno for one in statements)


def _awaits(expression):
    """Returns the awaits in an expression, apart from those of functions that it defines."""
    found = [expression] if isinstance(expression, _AWAITS) else []
    if isinstance(expression, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
        return found
    if isinstance(expression, ast.comprehension) and expression.is_async:
        found.append(expression)
    for child in ast.iter_child_nodes(expression):
        found += _awaits(child)
    return found


def _loops_with_awaits(expression):
    """Returns the lines of the comprehensions in an expression whose turns await something."""
    lines = []
    for node in ast.walk(expression):
        if isinstance(node, _COMPREHENSIONS):
            first = node.generators[0].iter
            if len(_awaits(node)) > len(_awaits(first)):
                lines.append(node.lineno)
    return lines


def _loops_with_calls(expression):
    """Returns the lines of the parts of an expression that call something again and again.

    No call decides whether the next one is made: a generator expression counts only where all of it
    is used.
    """
    lines = []
    for node in ast.walk(expression):
        turns = []
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp)):
            turns = [node]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) in _USES_ALL:
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            turns = [one for one in arguments if isinstance(one, (ast.GeneratorExp, ast.Lambda))]
        if any(map(_has_turns_with_calls, turns)):
            lines.append(node.lineno)
    return lines


def _has_turns_with_calls(node):
    """Returns whether each turn of a comprehension, or each call of a lambda, calls something."""
    first = node.generators[0].iter if isinstance(node, _COMPREHENSIONS) else None
    return any(isinstance(one, ast.Call) for one in _walk_without(node, first))


def _walk_without(node, left_out):
    for child in ast.iter_child_nodes(node):
        if child is not left_out:
            yield child
            yield from _walk_without(child, left_out)


def _operands(expression):
    """Returns the variables that the awaits in an expression need."""
    if not _awaits(expression):
        return set()
    if isinstance(expression, _AWAITS):
        return _names(expression)
    names = set()
    if isinstance(expression, ast.IfExp) and not _awaits(expression.test):
        names |= _names(expression.test)
    elif isinstance(expression, ast.BoolOp):
        names |= set().union(*map(_names, expression.values[:-1]))
    elif isinstance(expression, _COMPREHENSIONS):
        own = set()
        for generator in expression.generators:
            own |= {one.id for one in ast.walk(generator.target) if isinstance(one, ast.Name)}
            names |= _names(generator.iter).union(*map(_names, generator.ifs))
        names |= set().union(*map(_operands, ast.iter_child_nodes(expression)))
        return names - own
    return names.union(*map(_operands, ast.iter_child_nodes(expression)))


def _arguments(statement):
    """Returns the variables that the calls in a statement without awaits need.

    What takes the result of another call is not meant: `names.append(name(id))`.
    """
    expression = getattr(statement, "value", statement) or statement
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        arguments = [*expression.args, *(keyword.value for keyword in expression.keywords)]
        if any(isinstance(one, ast.Call) for each in arguments for one in ast.walk(each)):
            return set().union(*map(_names, arguments))
    return _names(expression)


def _names(expression):
    """Returns the variables that an expression reads, apart from those of its comprehensions."""
    if isinstance(expression, ast.Name):
        return {expression.id} if isinstance(expression.ctx, ast.Load) else set()
    names = set()
    for child in ast.iter_child_nodes(expression):
        names |= _names(child)
    if isinstance(expression, _COMPREHENSIONS):
        for generator in expression.generators:
            own = {one.id for one in ast.walk(generator.target) if isinstance(one, ast.Name)}
            names -= own - _names(generator.iter)
    return names
