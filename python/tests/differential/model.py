"""Computes the outcome of a program (see `programs`) by recursion, without scheduler or batches."""


class ModelError(Exception):
    """An error of the program, with the name of its class."""

    def __init__(self, kind, message):
        super().__init__(kind, message)
        self.kind = kind
        self.message = message


def program_error(message):
    return ModelError("ProgramError", message)


class Return(Exception):
    pass


class Lazily:
    """A task that was created and may never run."""

    def __init__(self, run):
        self.run = run
        self.outcome = None

    def value(self):
        if self.outcome is None:
            try:
                self.outcome = "value", self.run()
            except ModelError as error:
                self.outcome = "error", error
        kind, what = self.outcome
        if kind == "error":
            raise what
        return what


class Model:
    """Computes the outcome of a program, and the contexts that are active at each of its steps.

    `steps` excludes the steps of tasks that were created and awaited later. Their contexts are
    those of the first task that awaits them, which depends on the order.
    """

    def __init__(self, program):
        self.sources = program["sources"]
        self.body = program["body"]
        self.steps = {}

    def outcome(self):
        try:
            return ["value", plain(self.function(self.body, {}, "0", []))]
        except ModelError as error:
            return ["error", error.kind, error.message]

    def function(self, body, made, name, contexts):
        results = []
        try:
            self.block(body, dict(made), name, contexts, results)
        except Return:
            pass
        return results

    def block(self, body, made, name, contexts, results):
        for place, statement in enumerate(body):
            here = f"{name}.{place}"
            if contexts is not None:
                self.steps[here] = contexts
            kind, arguments = statement[0], statement[1:]
            if kind == "await":
                results.append(self.wait(arguments[0], made, here, contexts))
            elif kind == "call":
                results.append(self.function(arguments[0], made, here, contexts))
            elif kind == "get":
                results.append(self.item(*arguments))
            elif kind == "make":
                made[here] = self.make(arguments[0], dict(made), here)
            elif kind == "with":
                inner = None if contexts is None else [*contexts, here]
                self.block(arguments[0], made, here, inner, results)
            elif kind == "try":
                try:
                    self.block(arguments[0], made, here, contexts, results)
                except ModelError as error:
                    results.append(["caught", error.kind, error.message])
            elif kind == "raise":
                raise program_error(arguments[0])
            else:
                raise Return

    def make(self, body, made, name):
        return Lazily(lambda: self.function(body, made, name, None))

    def wait(self, expression, made, name, contexts):
        """Returns the value of an expression. Computes all of it before raising the first error."""
        errors = []
        value = self.compute(expression, made, name, contexts, errors)
        if errors:
            raise errors[0]
        return value

    def compute(self, expression, made, name, contexts, errors):
        if expression is None:
            return None
        kind, arguments = expression[0], expression[1:]
        if kind in ("list", "tuple"):
            parts = [
                self.compute(part, made, f"{name}.{place}", contexts, errors)
                for place, part in enumerate(arguments[0])
            ]
            return parts if kind == "list" else tuple(parts)
        if kind == "dict":
            return {
                key: self.compute(part, made, f"{name}.{key}", contexts, errors)
                for key, part in arguments[0].items()
            }
        try:
            return self.future(kind, arguments, made, name, contexts)
        except ModelError as error:
            errors.append(error)
            return None

    def future(self, kind, arguments, made, name, contexts):
        if kind == "item":
            return self.item(*arguments)
        if kind == "run":
            return self.function(arguments[0], made, name, contexts)
        if kind == "made":
            tasks = list(made.values())
            return tasks[arguments[0] % len(tasks)].value() if tasks else None
        if kind in ("const", "lazy"):
            return arguments[0]
        raise program_error(arguments[0])

    def item(self, source, key):
        number = source % len(self.sources)
        answer, odd = self.sources[number]["answer"], key % 2 == 1
        if answer == "fail all":
            raise program_error(f"source {number} fails")
        if odd and answer == "fail odd":
            raise program_error(f"source {number} fails {key}")
        if odd and answer == "forget odd":
            raise ModelError("AssertionError", "Value of this item wasn't set on batch flush.")
        return 2 * key


def plain(value):
    """Returns the value in the form that the interpreter reports."""
    if isinstance(value, tuple):
        return {"tuple": [plain(part) for part in value]}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {"dict": [[key, plain(part)] for key, part in value.items()]}
    return value
