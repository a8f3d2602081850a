from kdtasks.core.errors import did_you_mean


def test_the_choice_most_like_a_name_is_offered():
    assert did_you_mean("alhpa", ["alpha", "temperature"]) == "; did you mean 'alpha'?"


def test_nothing_is_offered_where_nothing_is_like_it():
    assert did_you_mean("qqqq", ["alpha", "temperature"]) == ""
