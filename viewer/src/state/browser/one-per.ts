/** Returns a function that makes one thing for each owner, such as a page, and returns the same one from then on. */
export function onePer<Owner extends WeakKey, Thing>(make: (owner: Owner) => Thing): (owner: Owner) => Thing {
  const known = new WeakMap<Owner, Thing>();
  return (owner) => {
    const thing = known.get(owner) ?? make(owner);
    known.set(owner, thing);
    return thing;
  };
}
