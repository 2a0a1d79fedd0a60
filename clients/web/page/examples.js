// Example texts. None is of a data set: a page shows nothing of what its model has learned from.
import {chosenLabels} from './drawing.js';

const COUNT = 5;
// What counts beside the share of known words.
const NEW_RESULT = 0.15; // no other example has the same labels or types of spans
const TYPE = 0.1; // each type of spans, three at most
const NOT_TEXT = -0.4; // a text of selftest.json: words in no order

/** The examples whose words a model knows best, with different results. */
export function bestExamples(model, files) {
  const known = new Set(readLines(files['vocabulary.txt']));
  const rows = EXAMPLES.map(text => [text, 0]);
  rows.push(...selftestTexts(files['selftest.json']).map(text => [text, NOT_TEXT]));
  const found = rows.map(([text, bonus]) => {
    const prediction = model.predict(text), {tokens, spans} = prediction;
    const isKnown = token => known.has(token.text) || known.has(token.text.toLowerCase());
    const results = spans ? [...new Set(spans.map(span => span.type))].sort() : chosenLabels(prediction);
    const share = tokens.filter(isKnown).length / Math.max(1, tokens.length);
    return {text, result: results.join('\n'), worth: share + bonus + (spans ? TYPE * Math.min(3, results.length) : 0)};
  });
  const chosen = [];
  while (chosen.length < COUNT) {
    const isNew = row => row.result !== '' && !chosen.some(one => one.result === row.result);
    const worth = row => row.worth + (isNew(row) ? NEW_RESULT : 0);
    const rest = found.filter(row => !chosen.includes(row));
    chosen.push(rest.reduce((best, row) => worth(row) > worth(best) ? row : best));
  }
  return chosen.map(row => row.text);
}

function readLines(content) {
  return new TextDecoder().decode(content).split('\n');
}

/** The texts of selftest.json that are made of known words. */
function selftestTexts(content) {
  if (content === undefined) return [];
  const {texts} = JSON.parse(new TextDecoder().decode(content));
  return texts.map(row => row.text).filter(text => text.length > 20 && text.length < 200);
}

const EXAMPLES = [
  'A warm, funny film with wonderful actors. I loved every minute of it!',
  'The story is slow and the ending makes no sense. A waste of two hours.',
  'Not bad at all: the plot is simple, but the music is beautiful.',
  'The battery died after two days and the seller never answered.',
  'Great phone for the price. Fast delivery, and the screen is excellent.',
  'The soup was cold, the waiter was rude, and we waited for an hour.',
  'Friendly staff and a clean room, but the breakfast was terrible.',
  'Angela Merkel visited Paris on Monday and met the head of Airbus.',
  'The United Nations said that 40 people from Japan and Brazil were in Geneva.',
  'Germany beat Spain 2 - 1 in London on Saturday, Reuters reported.',
  'I want to fly from Boston to San Francisco on Tuesday morning.',
  'Show me the cheapest round trip flights from Denver to Atlanta next Friday.',
  'Book a table for four in an Italian restaurant in Chicago tonight.',
  'Play some jazz by Miles Davis and add it to my evening playlist.',
  'Will it rain in New York tomorrow afternoon?',
  'How much money is in my savings account, and when is my rent due?',
  'What is the capital of Australia, and how many people live there?',
  'Shares of the oil company fell after the government raised taxes.',
  'Mutations of the BRCA1 gene increase the risk of breast cancer and ovarian cancer.',
  '这部电影太好看了，演员都很棒，强烈推荐！',
  '质量很差，用了两天就坏了，客服也不回复，非常失望。',
  '房间干净，服务热情，就是早餐一般，总体还不错。',
  '物流很快，价格便宜，手机屏幕很清晰，很满意。',
  '苹果很新鲜，又甜又脆，下次还会再买。',
  '这本书内容空洞，错别字也多，不值得买。',
  '张伟先生，1968年出生，毕业于北京大学，现任中国石油公司董事长。',
  '李明，男，汉族，中国国籍，硕士学历，高级工程师，曾任上海汽车集团总经理。',
  '国家主席访问了法国巴黎，并在联合国大会上发表讲话。',
  '新华社北京电：中国队昨天在东京以三比一战胜日本队。',
];
