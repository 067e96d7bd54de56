"""`asynq.testing`: assertions about rounds in tests of `unittest`."""

import unittest

import pytest

import asynq
from asynq.testing import RoundsMixin

user = asynq.Loader(lambda ids: ids, name="user")


@asynq.asynq()
def page(id):
    return (yield user.asynq((yield user.asynq(id))))


class Tests(RoundsMixin, unittest.TestCase):
    def runTest(self):
        pass


def test_rounds_within_the_limit_pass():
    with Tests().assertRounds(at_most=2), Tests().assertRounds(2):
        page(1)


def test_too_many_rounds_fail_with_the_explanation():
    with (
        pytest.raises(AssertionError, match="2 rounds, expected exactly 1") as failed,
        Tests().assertRounds(1),
    ):
        page(1)
    assert "user" in str(failed.value)


def test_the_rounds_of_a_source_are_counted():
    block = Tests().assertRounds(at_most={"user": 1})
    with pytest.raises(AssertionError, match="2 rounds of user, expected at most 1"), block:
        page(1)


def test_async_functions_are_tests_of_unittest():
    class AsyncTests(unittest.TestCase):
        @asynq.asynq()
        def runTest(self):
            assert (yield user.asynq(1)) == 2

    result = AsyncTests().run()
    assert len(result.failures) == 1


def test_it_works_beside_another_assertion_of_the_kind():
    tests = Tests()
    with tests.subTest(), tests.assertRounds(1):
        user(1)
