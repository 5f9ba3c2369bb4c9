/** In place of the core of routes that another process answers: their handlers are replaced. @throws Error always */
export function answeredElsewhere(): never {
  throw new Error('Another process answers this route.');
}
