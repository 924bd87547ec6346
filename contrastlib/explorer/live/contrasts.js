// The weights of contrasts over all logits. contrastlib.contrasts holds the same functions in Python, under the same names.

const unit = (logits, target) => Float64Array.from(logits, (_, s) => (s === target ? 1 : 0));

// The softmax over some classes only. It is 0 elsewhere.
export function softmaxOver(logits, chosen) {
  const powers = new Float64Array(logits.length);
  let highest = -Infinity, total = 0;
  logits.forEach((logit, s) => { if (chosen(s) && logit > highest) highest = logit; });
  logits.forEach((logit, s) => { if (chosen(s)) total += powers[s] = Math.exp(logit - highest); });
  return total ? powers.map(power => power / total) : powers;
}

const less = (weights, others) => weights.map((weight, s) => weight - others[s]);

// Each function: logits, the target classes (one, or several for a group), the foils -> weights.
export const CONTRASTS = {
  original: (logits, [target]) => unit(logits, target),
  mean: (logits, [target]) => unit(logits, target).map((weight, s) => (s === target ? 1 : -1 / (logits.length - 1))),
  maximum: (logits, [target]) => less(unit(logits, target), unit(logits, rivalOf(logits, [target]))),
  weighted: (logits, [target]) => less(unit(logits, target), softmaxOver(logits, s => s !== target)),
  rest: (logits, [target]) => less(unit(logits, target).map(weight => 2 * weight), softmaxOver(logits, () => true)),
  among: (logits, [target], foils) => less(unit(logits, target), softmaxOver(logits, s => foils.includes(s))),
  group: (logits, targets) =>
    less(softmaxOver(logits, s => targets.includes(s)), softmaxOver(logits, s => !targets.includes(s))),
};

// The most probable class that is not a target.
export function rivalOf(logits, targets) {
  let best = -1;
  logits.forEach((logit, s) => { if (!targets.includes(s) && (best < 0 || logit > logits[best])) best = s; });
  return best;
}

const logSumExp = values => {
  const highest = Math.max(...values);
  return highest + Math.log(values.reduce((total, value) => total + Math.exp(value - highest), 0));
};

// What the targets are set against: the foils, or else the most probable other class.
export const against = (logits, targets, foils) => (foils.length ? foils : [rivalOf(logits, targets)]);

// What the page says of the targets: their probability, its log-odds, and the probability among targets and foils alone;
// also their logit and its lead over that of the foils, where several classes have the logit of their summed exponentials.
export function numbers(logits, targets, foils) {
  const outside = [...logits].filter((_, s) => !targets.includes(s)), logitsOf = list => list.map(s => logits[s]);
  const [logit, rest, foil] = [logitsOf(targets), outside, logitsOf(foils)].map(logSumExp);
  return { probability: 1 / (1 + Math.exp(rest - logit)), logOdds: logit - rest, relative: 1 / (1 + Math.exp(foil - logit)),
    logit, lead: logit - foil };
}

export const probabilityOf = (logits, targets) => numbers(logits, targets, []).probability;

// The map of weights: the weighted sum of the maps of all classes, which stand one after the other.
export function mapOfWeights(weights, maps, length) {
  const map = new Float64Array(length);
  weights.forEach((weight, s) => {
    if (weight) for (let i = 0; i < length; i++) map[i] += weight * maps[s * length + i];
  });
  return map;
}

export function cosine(one, other) {
  let product = 0, own = 0, others = 0;
  one.forEach((value, i) => { product += value * other[i]; own += value ** 2; others += other[i] ** 2; });
  return own && others ? product / Math.sqrt(own) / Math.sqrt(others) : NaN;
}
