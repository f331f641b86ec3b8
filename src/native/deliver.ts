/** Hands items to a callback one by one until `isOver`. An error of the callback is thrown when the other items are through. */
export function deliver<Item>(items: Item[], callback: (item: Item) => void, isOver: () => boolean): void {
  const errors: unknown[] = [];
  for (const item of items) {
    if (isOver()) break;
    try {
      callback(item);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} callbacks failed`);
}
