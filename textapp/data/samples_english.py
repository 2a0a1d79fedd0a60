"""Words and templates of the English built-in reviews."""

from textapp.data.samples_grammar import Grammar

ENGLISH = Grammar(
    good=(
        "excellent",
        "wonderful",
        "superb",
        "lovely",
        "impressive",
        "brilliant",
        "delightful",
        "fantastic",
        "great",
        "good",
        "splendid",
        "marvellous",
        "charming",
        "outstanding",
    ),
    bad=(
        "terrible",
        "awful",
        "dreadful",
        "poor",
        "disappointing",
        "miserable",
        "horrible",
        "annoying",
        "useless",
        "bad",
        "lousy",
        "mediocre",
        "pathetic",
        "unpleasant",
    ),
    wished=("hoped", "feared"),
    it="this {thing}",
    # The aspects of each thing, each with what is good and what is bad about it.
    things={
        "phone": (
            (
                ("the battery lasts two full days", "the battery charges within the hour"),
                ("the battery is empty by noon", "the battery takes a whole night to charge"),
            ),
            (
                ("the screen is sharp and bright", "the screen reacts at once"),
                ("the screen is dim and scratched", "the screen freezes twice a day"),
            ),
            (
                ("the camera catches every detail", "the photos look like paintings"),
                ("the camera blurs every face", "the photos come out grey"),
            ),
            (
                ("calls are perfectly clear", "the speaker fills the room"),
                ("calls drop all the time", "the speaker crackles"),
            ),
        ),
        "hotel": (
            (
                ("the room is spotless and quiet", "our bed felt like a cloud"),
                ("the room smells of smoke", "our bed sagged in the middle"),
            ),
            (
                ("the staff remember your name", "reception solved everything with a smile"),
                ("the staff ignore you", "reception let us wait for an hour"),
            ),
            (
                ("breakfast offers fresh fruit and crêpes", "the coffee at breakfast is strong and hot"),
                ("breakfast is stale bread", "the coffee at breakfast tastes of soap"),
            ),
            (
                ("the view over the bay takes your breath away", "the beach begins at the door"),
                ("the view is a brick wall", "the motorway roars under the window"),
            ),
        ),
        "film": (
            (
                ("the plot surprises until the last minute", "the story moved us to tears"),
                ("the plot makes no sense", "the story drags for hours"),
            ),
            (
                ("the actors shine in every scene", "the lead plays with wit and warmth"),
                ("the actors read their lines like robots", "the lead mumbles and stares"),
            ),
            (
                ("the music stays with you for days", "every picture could hang in a museum"),
                ("the music drowns every word", "every picture looks cheap and dark"),
            ),
            (
                ("the jokes land one after the other", "the dialogue sparkles"),
                ("the jokes were old in my childhood", "the dialogue is full of clichés"),
            ),
        ),
        "novel": (
            (
                ("I could not put it down", "the first chapter pulls you in"),
                ("I gave up after fifty pages", "the first chapter put me to sleep"),
            ),
            (
                ("the heroine feels alive", "the characters grow on every page"),
                ("the heroine is made of cardboard", "the characters never change"),
            ),
            (
                ("the language sings", "each sentence is polished"),
                ("the language is clumsy", "each sentence is padded"),
            ),
            (
                ("the ending ties everything together", "the last page made me smile"),
                ("the ending explains nothing", "the last page made me groan"),
            ),
        ),
        "café": (
            (
                ("the soup is rich and hot", "the crème brûlée melts on the tongue"),
                ("the soup is thin and cold", "the crème brûlée is burnt"),
            ),
            (
                ("the waiters are quick and kind", "our table was ready at once"),
                ("the waiters are slow and rude", "our table was sticky"),
            ),
            (
                ("the portions are generous", "you eat well for 12 €"),
                ("the portions are tiny", "you pay 12 € for a spoonful"),
            ),
            (
                ("the terrace is cosy", "the music lets you talk"),
                ("the terrace stinks of fuel", "the music hurts your ears"),
            ),
        ),
        "jacket": (
            (
                ("the fabric is soft and warm", "the lining keeps out the cold"),
                ("the fabric is stiff and itchy", "the lining tears"),
            ),
            (("the zip glides", "the seams hold after a year"), ("the zip jams", "the seams split after a week")),
            (
                ("it fits like a glove", "the sleeves have the right length"),
                ("it hangs like a sack", "the sleeves are far too short"),
            ),
            (
                ("the colour stays fresh after every wash", "rain simply runs off"),
                ("the colour fades after one wash", "rain goes straight through"),
            ),
        ),
    },
    # The words alone tell the label.
    by_words=(
        "{it} is {P}",
        "{it} is {P} and {Q}",
        "{it} is simply {P}, and {p}",
        "{it} is very {P}: {p}",
        "{p} and {q}",
        "{p}, and what is more, {q}",
        "{p}; all in all {it} is {P}",
        "I find {it} really {P}, and so does my husband",
        "{P}, {P}, {P}: {p}",
        "what can I say, {p} and {q}",
        "{it} is {P} because {p}",
        "it has never been so {P}, {p}",
        "{P} in every respect, and {p} too",
        "I can only call this {thing} {P}",
    ),
    # Only their order does.
    by_order=(
        "{n}, but {p}",
        "{n}, but all in all {it} is {P}",
        "{n}; even so, {p}",
        "although {n}, {p}",
        "{p}, although {n}",
        "{it} is {P}, even if {n}",
        "{it} is not {N} at all, as I had {wished}",
        "{it} is {P}, not at all as I had {dreaded}",
        "{it} is not {N}",
        "{it} is anything but {N}",
        "nobody could call {it} {N}",
        "I expected {it} to be {N}, and it turned out {P}",
        "it turned out {P}, and I expected {it} to be {N}",
        "my friends call it {N}, I call it {P}",
        "I call it {P}, my friends call it {N}",
        "within a year {it} has gone from {N} to {P}",
        "{it} is {P} rather than {N}",
        "far from {N}, {it} is {P}",
        "the one before was {N}, this {thing} is {P}",
        "this {thing} is {P}, the one before was {N}",
        "it is simply not true that {n}",
        "they told me that {n}, and they were wrong",
        "they told me that {p}, and they were right",
        "so much for {N}: {p}",
    ),
    openings=(
        "To be honest, ",
        "A short note after a month: ",
        "My first review here. ",
        "I paid the full price. ",
        "Read this before you decide. ",
        "For the second time now: ",
        "We are a family of four. ",
        "Here is what I saw: ",
    ),
    closings=(
        " That is all I have to say.",
        " My sister saw it the same way.",
        " More about it in spring.",
        " I took some pictures too.",
        " It was a gift from Zoë.",
    ),
    stop=".",
)
