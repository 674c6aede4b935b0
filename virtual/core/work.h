// Work of a device: streams hand it to one thread, which does it in the order of arrival. That order keeps every promise that streams
// make, and a caller that frees or reads too early is found out, because nothing is done before the thread comes to it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

namespace anychip {

/** A piece of work: 0, or the status that says what went wrong. */
using Task = std::function<int()>;

struct Stream {
  /** What was handed in and is not done. */
  int pending = 0;
  /** While it is captured, work goes there instead. */
  std::vector<Task> *recording = nullptr;
};

struct Event {
  int pending = 0;
  bool isRecorded = false;
  std::chrono::steady_clock::time_point at;
};

class Worker {
 public:
  /** After a failure everything handed in is dropped, and every call answers its status, until `reset`. */
  int enqueue(Stream *stream, Task task);
  int record(Event *event, Stream *stream);
  int wait(Stream *stream);
  int wait(Event *event);
  /** Waits for all streams. */
  int finish();
  bool isDone(Stream *stream);
  bool isDone(Event *event);
  int status();
  /** Drops what is waiting, waits for what runs, forgets the failure. */
  void reset();
  /** Work stops at the next piece and never goes on: what a hung kernel looks like. */
  void hang();

 private:
  struct Item {
    Stream *stream;
    Event *event;
    Task task;
  };
  void push(Item item);
  void run();
  template <class Done>
  int waitUntil(Done done);

  std::mutex mutex_;
  std::condition_variable arrived_, done_;
  std::deque<Item> items_;
  bool isStarted_ = false, isBusy_ = false, isHung_ = false;
  int status_ = 0;
};

}  // namespace anychip
