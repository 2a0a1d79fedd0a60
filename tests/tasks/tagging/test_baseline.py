"""The most frequent tag of each word."""

import numpy as np

from textapp.tasks.tagging.baseline import MostFrequentTags


def test_each_word_gets_its_most_frequent_tag_and_others_the_most_frequent_of_all():
    sentences = [["Ada", "sah", "Rom"], ["Rom", "sah", "Ada", "北京"], ["Rom", "sah"]]
    tags = MostFrequentTags(sentences, np.array([2, 0, 1, 1, 0, 3, 1, 2, 0]))
    # `Ada` has the tags 2 and 3 once each: the lower id. Tag 0 and 1 are equally frequent, 3 times.
    assert tags([["北京", "sah", "Rom"], ["rom", "Ada"]]).tolist() == [1, 0, 1, 0, 2]
    assert tags([]).tolist() == []
