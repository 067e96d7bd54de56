// The part of the time that is shown, which both grids share.

class TimeAxis {
  constructor() {
    this.all = Math.max(1, recording.duration);
    this.begin = 0;
    this.end = this.all;
  }

  zoom(factor) {
    const middle = (this.begin + this.end) / 2;
    const half = Math.max(((this.end - this.begin) * factor) / 2, Math.min(10, this.all / 2));
    this.set(middle - half, middle + half);
  }

  shift(part) {
    const by = (this.end - this.begin) * part;
    this.set(this.begin + by, this.end + by);
  }

  // Keeps the length of the part, if the whole is as long.
  set(begin, end) {
    const length = Math.min(end - begin, this.all);
    this.begin = Math.max(0, Math.min(begin, this.all - length));
    this.end = this.begin + length;
  }

  // Moves just so far that the time is in view.
  show(time) {
    if (time < this.begin || time > this.end) this.shift((time - (this.begin + this.end) / 2) / (this.end - this.begin));
  }

  position(time) {
    return (time - this.begin) / (this.end - this.begin);
  }

  // A mark from `begin` to `end`, or nothing if it is out of view.
  mark(className, begin, end) {
    if (begin < 0 || end < this.begin || begin > this.end) return [];
    const mark = element("span", `mark ${className}`);
    const left = Math.max(-0.01, this.position(begin));
    const right = Math.min(1.01, this.position(Math.max(begin, end)));
    mark.style.left = `min(${left * 100}%, 100% - 3px)`;
    mark.style.width = `${(right - left) * 100}%`;
    return [mark];
  }

  // Times at round numbers, at most as many as fit.
  ticks(width) {
    const wanted = (this.end - this.begin) / Math.max(1, Math.floor(width / 80));
    const power = 10 ** Math.floor(Math.log10(wanted));
    const step = Math.max(1, [1, 2, 5, 10].map((part) => part * power).find((part) => part >= wanted));
    const ticks = [];
    for (let time = Math.ceil(this.begin / step) * step; time < this.end; time += step) ticks.push(time);
    return ticks;
  }

  drawTicks(cell) {
    // The last one is left out where its text does not fit.
    const fit = this.ticks(cell.clientWidth).filter((time) => (1 - this.position(time)) * cell.clientWidth > 50);
    const ticks = fit.map((time) => {
      const tick = element("span", "tick", time === 0 ? "0" : duration(time).replace(/\.0+ /, " "));
      tick.style.left = `${this.position(time) * 100}%`;
      return tick;
    });
    cell.replaceChildren(element("span", "unseen", "Time"), ...ticks);
  }
}

const axis = new TimeAxis();
