// Whole models on the virtual chip: the model interface of ACL (acl_mdl.h, CANN 8), as far as anychip calls it. An offline model is what
// src/virtualAtc.ts writes: code for this processor, its weights, and the sizes of everything. It reads and writes device memory only.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>

namespace {

using Execute = void (*)(void *pool, std::int64_t entry, char *const *bases, char *scratch, std::int64_t stride, std::int64_t *times);
const std::int64_t RUN = -1;
constexpr int BAD_PARAM = 100000, INVALID_MODEL_ID = 100011, INVALID_MODEL = 100012, INPUT_NOT_MATCH = 100017, OUTPUT_NOT_MATCH = 100018;

struct Port {
  std::uint64_t bytes;
  /** Its number among the ports of the code; -1: nothing reads it. */
  std::int64_t place;
};
struct Model {
  void *library = nullptr;
  void *pool = nullptr;
  Execute execute = nullptr;
  std::vector<Port> inputs, outputs;
  std::vector<std::string> names;
  std::uint64_t codeInputs = 0;
  std::vector<char> arena, weights, scratch;
  std::string path;
  ~Model() {
    if (pool) reinterpret_cast<void (*)(void *)>(dlsym(library, "anychip_dispose_pool"))(pool);
    if (library) dlclose(library);
  }
  /** Memory is 64-byte aligned inside. */
  static char *aligned(std::vector<char> &memory) { return reinterpret_cast<char *>((reinterpret_cast<std::uint64_t>(memory.data()) + 63) & ~63ull); }
};
struct Description {
  std::shared_ptr<Model> model;
};
struct Buffer {
  void *address;
  std::size_t bytes;
};
struct Dataset {
  std::vector<Buffer *> buffers;
};

std::vector<std::shared_ptr<Model>> &models() {
  static auto *all = new std::vector<std::shared_ptr<Model>>;
  return *all;
}
std::shared_ptr<Model> modelAt(std::uint32_t id) { return id < models().size() ? models()[id] : nullptr; }

/** Reads the pieces of a file, one after the other; what lies behind its end is empty. */
class Reader {
 public:
  Reader(const char *at, std::size_t bytes) : at_(at), end_(at + bytes) {}
  const char *take(std::uint64_t bytes) {
    if (bytes > static_cast<std::uint64_t>(end_ - at_)) return isWhole = false, nullptr;
    const char *taken = at_;
    return at_ += bytes, taken;
  }
  std::int64_t number() {
    const char *bytes = take(8);
    std::int64_t value = 0;
    if (bytes) std::memcpy(&value, bytes, 8);
    return value;
  }
  bool isWhole = true;

 private:
  const char *at_, *end_;
};

bool openCode(Model &model, const char *code, std::size_t bytes) {
  char path[] = "/tmp/anychip-om-XXXXXX";
  const int file = mkstemp(path);
  if (file < 0) return false;
  const bool isWritten = write(file, code, bytes) == static_cast<ssize_t>(bytes);
  close(file);
  if (isWritten) model.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  unlink(path);
  if (!model.library) return false;
  model.execute = reinterpret_cast<Execute>(dlsym(model.library, "anychip_execute"));
  model.pool = reinterpret_cast<void *(*)(int)>(dlsym(model.library, "anychip_create_pool"))(1);
  return model.execute && model.pool;
}

bool readModel(Model &model, Reader &file) {
  const std::int64_t arena = file.number(), weights = file.number(), scratch = file.number(), code = file.number();
  const std::int64_t inputs = file.number(), outputs = file.number(), codeInputs = file.number(), loads = file.number(), inits = file.number();
  if (!file.isWhole) return false;
  model.arena.resize(arena + 64), model.weights.resize(weights + 64), model.scratch.resize(scratch + 64);
  model.codeInputs = codeInputs;
  const auto readPorts = [&](std::vector<Port> &ports, std::int64_t count) {
    for (std::int64_t i = 0; i < count && file.isWhole; i++) {
      const auto bytes = static_cast<std::uint64_t>(file.number());
      ports.push_back({bytes, file.number()});
    }
  };
  readPorts(model.inputs, inputs);
  readPorts(model.outputs, outputs);
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  for (std::int64_t i = 0; i < loads && file.isWhole; i++) {
    const std::int64_t offset = file.number();
    places.push_back({offset, file.number()});
  }
  std::vector<std::vector<std::int64_t>> staged;
  for (std::int64_t i = 0; i < inits && file.isWhole; i++) {
    staged.emplace_back();
    for (std::int64_t left = file.number(); left > 0 && file.isWhole; left--) staged.back().push_back(file.number());
  }
  const std::int64_t nameBytes = file.number();
  const char *names = file.take(nameBytes);
  const char *image = file.take(code);
  if (!file.isWhole || !openCode(model, image, code)) return false;
  for (const char *at = names; at < names + nameBytes; at += model.names.back().size() + 1) model.names.emplace_back(at);
  char *const weightsAt = Model::aligned(model.weights);
  for (const auto &[offset, bytes] : places)
    if (const char *data = file.take(bytes)) std::memcpy(weightsAt + offset, data, bytes);
  for (std::size_t init = 0; init < staged.size(); init++) {
    std::vector<std::vector<char>> held;
    std::vector<char *> bases{Model::aligned(model.arena), weightsAt};
    for (std::int64_t bytes : staged[init]) {
      held.emplace_back(bytes + 64);
      if (const char *data = file.take(bytes)) std::memcpy(Model::aligned(held.back()), data, bytes);
    }
    for (auto &memory : held) bases.push_back(Model::aligned(memory));
    if (file.isWhole) model.execute(model.pool, static_cast<std::int64_t>(init), bases.data(), Model::aligned(model.scratch), scratch, nullptr);
  }
  return file.isWhole;
}

/** Whether a dataset has what the model takes, and may be read or written. */
int check(const std::vector<Port> &ports, const Dataset *dataset, const char *what, bool isRead) {
  if (dataset->buffers.size() != ports.size()) return say(Rule::limit, "%zu %s, the model has %zu", dataset->buffers.size(), what, ports.size()), isRead ? INPUT_NOT_MATCH : OUTPUT_NOT_MATCH;
  for (std::size_t i = 0; i < ports.size(); i++) {
    const Buffer *buffer = dataset->buffers[i];
    if (buffer->bytes < ports[i].bytes) return say(Rule::bounds, "%s %zu has %zu bytes, the model needs %llu", what, i, buffer->bytes, static_cast<unsigned long long>(ports[i].bytes)), isRead ? INPUT_NOT_MATCH : OUTPUT_NOT_MATCH;
    Memory &memory = device().memory;
    const Rule rule = isRead ? memory.checkRead("a model", buffer->address, ports[i].bytes) : memory.checkWrite("a model", buffer->address, ports[i].bytes);
    if (rule != Rule::none) return statusOf(rule);
  }
  return SUCCESS;
}

int run(Model &model, const std::vector<void *> &inputs, const std::vector<void *> &outputs) {
  std::vector<char *> bases(2 + model.codeInputs + outputs.size());
  bases[0] = Model::aligned(model.arena), bases[1] = Model::aligned(model.weights);
  for (std::size_t i = 0; i < inputs.size(); i++)
    if (model.inputs[i].place >= 0) bases[2 + model.inputs[i].place] = static_cast<char *>(inputs[i]);
  for (std::size_t i = 0; i < outputs.size(); i++) bases[2 + model.codeInputs + model.outputs[i].place] = static_cast<char *>(outputs[i]);
  model.execute(model.pool, RUN, bases.data(), Model::aligned(model.scratch), static_cast<std::int64_t>(model.scratch.size()), nullptr);
  for (std::size_t i = 0; i < outputs.size(); i++) std::memset(device().memory.shadow() + (static_cast<char *>(outputs[i]) - device().memory.base()), ALLOCATED | WRITTEN, model.outputs[i].bytes);
  return SUCCESS;
}

}  // namespace

#define MODEL(type) extern "C" __attribute__((visibility("default"))) type

ACL aclmdlLoadFromMem(const void *bytes, std::size_t size, std::uint32_t *id) {
  ENTER
  if (isFaulty("model")) return say(Rule::fault, "this load of a model fails, as ANYCHIP_FAULT asks"), INVALID_MODEL;
  Reader file(static_cast<const char *>(bytes), size);
  const char *mark = file.take(16), *soc = file.take(64);
  if (!file.isWhole || std::memcmp(mark, "ANYCHIP VIRTUAL", 16) != 0) return say(Rule::host, "these are no bytes of an offline model that the virtual atc made"), INVALID_MODEL;
  // 'virtual Ascend 910B4' and 'Ascend910B4'.
  std::string own;
  for (const char *at = std::strstr(chip.title, "Ascend"); *at; at++)
    if (*at != ' ') own += *at;
  if (own != soc) return say(Rule::host, "the model was compiled for %s, this is %s", soc, own.c_str()), INVALID_MODEL;
  auto model = std::make_shared<Model>();
  if (!readModel(*model, file)) return say(Rule::host, "the offline model is damaged, or was made for another processor"), INVALID_MODEL;
  models().push_back(model);
  return *id = static_cast<std::uint32_t>(models().size() - 1), SUCCESS;
}
ACL aclmdlUnload(std::uint32_t id) {
  ENTER
  if (!modelAt(id)) return say(Rule::freed, "model %u was unloaded or never loaded", id), INVALID_MODEL_ID;
  if (int status = device().worker.finish()) return status;
  return models()[id].reset(), SUCCESS;
}

MODEL(Description *) aclmdlCreateDesc() {
  auto *description = new Description;
  device().alive.insert(description);
  return description;
}
ACL aclmdlDestroyDesc(Description *description) { return device().drop(description, "description") ? SUCCESS : BAD_PARAM; }
ACL aclmdlGetDesc(Description *description, std::uint32_t id) {
  if (!device().isAlive(description) || !modelAt(id)) return INVALID_MODEL_ID;
  return description->model = modelAt(id), SUCCESS;
}
MODEL(std::size_t) aclmdlGetNumInputs(Description *description) { return description->model->inputs.size(); }
MODEL(std::size_t) aclmdlGetNumOutputs(Description *description) { return description->model->outputs.size(); }
MODEL(std::size_t) aclmdlGetInputSizeByIndex(Description *description, std::size_t i) { return description->model->inputs.at(i).bytes; }
MODEL(std::size_t) aclmdlGetOutputSizeByIndex(Description *description, std::size_t i) { return description->model->outputs.at(i).bytes; }
ACL aclmdlGetInputIndexByName(const Description *description, const char *name, std::size_t *index) {
  const auto &names = description->model->names;
  for (std::size_t i = 0; i < names.size(); i++)
    if (names[i] == name) return *index = i, SUCCESS;
  return say(Rule::limit, "the model has no input '%s'", name), BAD_PARAM;
}

MODEL(Dataset *) aclmdlCreateDataset() {
  auto *dataset = new Dataset;
  device().alive.insert(dataset);
  return dataset;
}
ACL aclmdlDestroyDataset(Dataset *dataset) { return device().drop(dataset, "dataset") ? SUCCESS : BAD_PARAM; }
MODEL(Buffer *) aclCreateDataBuffer(void *address, std::size_t bytes) {
  auto *buffer = new Buffer{address, bytes};
  device().alive.insert(buffer);
  return buffer;
}
ACL aclDestroyDataBuffer(Buffer *buffer) { return device().drop(buffer, "buffer") ? SUCCESS : BAD_PARAM; }
ACL aclmdlAddDatasetBuffer(Dataset *dataset, Buffer *buffer) {
  if (!device().isAlive(dataset) || !device().isAlive(buffer)) return BAD_PARAM;
  return dataset->buffers.push_back(buffer), SUCCESS;
}

ACL aclmdlExecuteAsync(std::uint32_t id, const Dataset *inputs, Dataset *outputs, Stream *stream) {
  ENTER
  auto model = modelAt(id);
  if (!model) return say(Rule::freed, "model %u was unloaded or never loaded", id), INVALID_MODEL_ID;
  if (!device().isStream(stream)) return STREAM_CONTEXT;
  if (!device().isAlive(const_cast<Dataset *>(inputs)) || !device().isAlive(outputs)) return say(Rule::freed, "a dataset that was destroyed or never made"), BAD_PARAM;
  if (isFaulty("launch")) return say(Rule::fault, "this run of a model fails, as ANYCHIP_FAULT asks"), VECTOR_CORE_EXCEPTION;
  const Dataset from = *inputs, to = *outputs;
  return device().worker.enqueue(stream, [=] {
    if (int status = check(model->inputs, &from, "inputs", true)) return status;
    if (int status = check(model->outputs, &to, "outputs", false)) return status;
    std::vector<void *> read, written;
    for (const Buffer *buffer : from.buffers) read.push_back(buffer->address);
    for (const Buffer *buffer : to.buffers) written.push_back(buffer->address);
    return run(*model, read, written);
  });
}
