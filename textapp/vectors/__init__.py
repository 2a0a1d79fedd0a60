"""Word vectors: corpora, training, files, judging, alignment.

Import from the modules: `word2vec` and `blocks` need TensorFlow, `formats`, `word_vectors` and the rest NumPy alone. A
`fit` script trains so:

    cache = build_cache(["corpus.txt.gz"], "cache")
    blocks = TrainingBlocks(cache)
    model = Word2Vec(len(cache.words), dim=100, threads=2)
    model.compile(learning_rate=0.5, total_steps=5 * blocks.steps_per_epoch)
    model.fit(blocks.dataset, steps_per_epoch=blocks.steps_per_epoch, epochs=5, shuffle=False)
    write_vectors(WordVectors(cache.words, model.vectors()), "vectors.vec")
"""
