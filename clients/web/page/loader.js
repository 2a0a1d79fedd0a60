// Unpacks the single page. Its script, its style, the core and the bundle lie in the element `inside`, as
// textapp/export/clients/page.py has packed them. Only old words of JavaScript, so that an old browser says what it lacks.
(function () {
  'use strict';
  var inside = document.getElementById('inside');

  /** Shows a message of the page in place of the page. */
  function stop(id) {
    document.getElementById('start').hidden = true;
    document.getElementById(id).hidden = false;
  }

  /** Bytes from units of UTF-16, which are masked. The first number of a mask stands before each block of 200 units. */
  function fromUnits(text, size) {
    var bytes = new Uint8Array(size + 1), mask = 0;
    for (var from = 0, to = 0; to < size; from++) {
      var unit = text.charCodeAt(from);
      if (from % 201 === 0) {
        mask = unit;
        continue;
      }
      mask = Math.imul(mask, 1664525) + 1013904223 | 0;
      unit ^= mask >>> 16;
      bytes[to++] = unit;
      bytes[to++] = unit >> 8;
    }
    return bytes;
  }

  /** The content of a raw stream of LZMA1, after Igor Pavlov's specification; lc, lp and pb are its parameters. */
  function unpack(input, size, lc, lp, pb) {
    var output = new Uint8Array(size), end = 0, place = 5, range = 0xffffffff, code = 0, state = 0;
    var distances = [0, 0, 0, 0]; // of the last four matches, the newest first
    for (var i = 1; i < 5; i++) code = (code << 8 | input[i]) >>> 0;

    function fresh(count) {
      var probs = new Uint16Array(count);
      for (var i = 0; i < count; i++) probs[i] = 1024;
      return probs;
    }

    function shift() {
      if (range < 0x1000000) {
        range = range << 8 >>> 0;
        code = (code << 8 | input[place++]) >>> 0;
      }
    }

    function bit(probs, index) {
      var prob = probs[index], bound = (range >>> 11) * prob, one = code >= bound;
      if (one) {
        range -= bound;
        code -= bound;
        probs[index] = prob - (prob >> 5);
      } else {
        range = bound;
        probs[index] = prob + (2048 - prob >> 5);
      }
      shift();
      return one ? 1 : 0;
    }

    function tree(probs, offset, bits) {
      for (var symbol = 1, i = 0; i < bits; i++) symbol = symbol << 1 | bit(probs, offset + symbol);
      return symbol - (1 << bits);
    }

    function reversedTree(probs, offset, bits) {
      for (var symbol = 1, value = 0, i = 0; i < bits; i++) {
        var one = bit(probs, offset + symbol);
        symbol = symbol << 1 | one;
        value |= one << i;
      }
      return value;
    }

    function direct(bits) {
      for (var value = 0; bits > 0; bits--) {
        range >>>= 1;
        var one = code >= range ? 1 : 0;
        if (one) code -= range;
        shift();
        value = value << 1 | one;
      }
      return value;
    }

    function lengths() {
      return {choice: fresh(2), low: fresh(16 << 3), middle: fresh(16 << 3), high: fresh(256)};
    }

    function lengthOf(probs, alignment) {
      if (!bit(probs.choice, 0)) return tree(probs.low, alignment << 3, 3);
      return bit(probs.choice, 1) ? 16 + tree(probs.high, 0, 8) : 8 + tree(probs.middle, alignment << 3, 3);
    }

    var isMatch = fresh(12 << 4), isRepeat = fresh(12), isOther = fresh(12), isThird = fresh(12), isFourth = fresh(12);
    var isLong = fresh(12 << 4), literals = fresh(0x300 << lc + lp), slots = fresh(4 << 6), near = fresh(128), align = fresh(16);
    var newLengths = lengths(), repeatedLengths = lengths();

    function literal() {
      var symbol = 1, before = end > 0 ? output[end - 1] >> 8 - lc : 0;
      var start = 0x300 * (((end & (1 << lp) - 1) << lc) + before);
      if (state >= 7) {
        var matched = output[end - distances[0] - 1];
        do {
          var expected = matched >> 7 & 1, found = bit(literals, start + (1 + expected << 8) + symbol);
          matched <<= 1;
          symbol = symbol << 1 | found;
        } while (found === expected && symbol < 0x100);
      }
      while (symbol < 0x100) symbol = symbol << 1 | bit(literals, start + symbol);
      output[end++] = symbol;
      state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
    }

    function distance(length) {
      var slot = tree(slots, Math.min(length, 3) << 6, 6);
      if (slot < 4) return slot;
      var bits = (slot >> 1) - 1, start = (2 | slot & 1) << bits;
      if (slot < 14) return start + reversedTree(near, start - slot, bits);
      return start + direct(bits - 4) * 16 + reversedTree(align, 0, 4);
    }

    while (end < size) {
      var alignment = end & (1 << pb) - 1, length;
      if (!bit(isMatch, (state << 4) + alignment)) {
        literal();
        continue;
      }
      if (!bit(isRepeat, state)) {
        length = lengthOf(newLengths, alignment);
        state = state < 7 ? 7 : 10;
        distances = [distance(length), distances[0], distances[1], distances[2]];
      } else {
        if (bit(isOther, state)) {
          var number = !bit(isThird, state) ? 1 : !bit(isFourth, state) ? 2 : 3;
          distances.unshift(distances.splice(number, 1)[0]);
        } else if (!bit(isLong, (state << 4) + alignment)) {
          state = state < 7 ? 9 : 11;
          output[end] = output[end - distances[0] - 1];
          end++;
          continue;
        }
        length = lengthOf(repeatedLengths, alignment);
        state = state < 7 ? 8 : 11;
      }
      for (var last = Math.min(size, end + length + 2); end < last; end++) output[end] = output[end - distances[0] - 1];
    }
    return output;
  }

  function crc32(bytes) {
    var table = [], crc = -1;
    for (var i = 0; i < 256; i++) {
      table[i] = i;
      for (var j = 0; j < 8; j++) table[i] = table[i] >>> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
    }
    for (i = 0; i < bytes.length; i++) crc = crc >>> 8 ^ table[(crc ^ bytes[i]) & 255];
    return ~crc >>> 0;
  }

  /** Adds a script or a style. The policy of the page knows their hashes, and refuses any other. */
  function add(name, content) {
    var element = document.createElement(name);
    if (name === 'script') element.type = 'module';
    element.textContent = new TextDecoder().decode(content);
    document.head.appendChild(element);
  }

  // A function that returns i8x16.popcnt of a vector.
  var simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
  var isNew = window.CSS && CSS.supports('color', 'color-mix(in oklab, red, blue)') && typeof WebAssembly === 'object';
  if (!isNew || !WebAssembly.validate(new Uint8Array(simd))) return stop('old');

  // The parts of the content, each as a stream of its own: [[packed size, size, lc, lp, pb], ...].
  var parts = JSON.parse(inside.dataset.parts), packed = 0, size = 0;
  parts.forEach(function (part) {
    packed += part[0];
    size += part[1];
  });
  var input = fromUnits(inside.textContent, packed), content = new Uint8Array(size);
  packed = size = 0;
  parts.forEach(function (part) {
    content.set(unpack(input.subarray(packed, packed += part[0]), part[1], part[2], part[3], part[4]), size);
    size += part[1];
  });
  if (crc32(content) !== Number(inside.dataset.crc)) return stop('damaged');

  // The first line names the files and their sizes; the files follow.
  var from = content.indexOf(10) + 1, sizes = JSON.parse(new TextDecoder().decode(content.subarray(0, from)));

  function take(entries) {
    var files = {};
    entries.forEach(function (entry) {
      files[entry[0]] = content.slice(from, from += entry[1]);
    });
    return files;
  }

  var page = take(sizes.page);
  inside.files = {core: page['textapp.wasm'], bundle: take(sizes.bundle)}; // for page.js
  inside.textContent = '';
  add('style', page['page.css']);
  add('script', page['page.js']);
})();
