// See work.h.
#include "work.h"

#include <thread>

namespace anychip {

void Worker::push(Item item) {
  if (item.stream) item.stream->pending++;
  if (item.event) item.event->pending++;
  items_.push_back(std::move(item));
  // The thread lives as long as the process: at its end nothing waits for work that hangs.
  if (!isStarted_) std::thread([this] { run(); }).detach();
  isStarted_ = true;
  arrived_.notify_one();
}

int Worker::enqueue(Stream *stream, Task task) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (status_ != 0) return status_;
  if (stream && stream->recording) return stream->recording->push_back(std::move(task)), 0;
  push({stream, nullptr, std::move(task)});
  return 0;
}

int Worker::record(Event *event, Stream *stream) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (status_ != 0) return status_;
  push({stream, event, [] { return 0; }});
  return 0;
}

void Worker::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    arrived_.wait(lock, [this] { return !items_.empty() && !isHung_; });
    Item item = std::move(items_.front());
    items_.pop_front();
    if (status_ == 0) {
      isBusy_ = true;
      lock.unlock();
      const int status = item.task();
      lock.lock();
      isBusy_ = false;
      if (status_ == 0) status_ = status;
    }
    if (item.event) {
      item.event->at = std::chrono::steady_clock::now();
      item.event->isRecorded = true;
      item.event->pending--;
    }
    if (item.stream) item.stream->pending--;
    // What the task holds goes before anyone hears that it is done.
    item.task = nullptr;
    done_.notify_all();
  }
}

template <class Done>
int Worker::waitUntil(Done done) {
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, done);
  return status_;
}

int Worker::wait(Stream *stream) {
  return waitUntil([stream] { return stream->pending == 0; });
}
int Worker::wait(Event *event) {
  return waitUntil([event] { return event->pending == 0; });
}
int Worker::finish() {
  return waitUntil([this] { return items_.empty() && !isBusy_; });
}

bool Worker::isDone(Stream *stream) {
  std::lock_guard<std::mutex> lock(mutex_);
  return stream->pending == 0;
}
bool Worker::isDone(Event *event) {
  std::lock_guard<std::mutex> lock(mutex_);
  return event->pending == 0;
}
int Worker::status() {
  std::lock_guard<std::mutex> lock(mutex_);
  return status_;
}

void Worker::hang() {
  std::lock_guard<std::mutex> lock(mutex_);
  isHung_ = true;
}

void Worker::reset() {
  std::unique_lock<std::mutex> lock(mutex_);
  isHung_ = false;
  for (Item &item : items_) {
    if (item.stream) item.stream->pending--;
    if (item.event) item.event->pending--;
  }
  items_.clear();
  done_.wait(lock, [this] { return !isBusy_; });
  status_ = 0;
  done_.notify_all();
}

}  // namespace anychip
