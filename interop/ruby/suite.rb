# The stomp gem against a running broker. Run by `cargo xtask interop`; ends with 'N passed, N failed'.

require "securerandom"
require "socket"
require "stomp"
require "timeout"
require "tmpdir"

WAIT_SECONDS = 15
START_SECONDS = 60

# A broker in a process of its own.
class Broker
  attr_reader :stomp

  def initialize
    @folder = Dir.mktmpdir("ferrymq-ruby-")
    servers = Array.new(3) { TCPServer.new("127.0.0.1", 0) }
    @ports = servers.map { |server| server.addr[1] }
    servers.each(&:close)
    @stomp = @ports[0]
  end

  def start
    starter = File.join(__dir__, "..", "start-broker.sh")
    log = File.join(@folder, "log")
    @pid = Process.spawn("bash", starter, File.join(@folder, "data"), *@ports.map(&:to_s), %i[out err] => [log, "a"])
    limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + START_SECONDS
    begin
      TCPSocket.new("127.0.0.1", @stomp).close
    rescue Errno::ECONNREFUSED
      ended = Process.wait(@pid, Process::WNOHANG)
      if ended
        @pid = nil
        raise "the broker ended at its start:\n#{tail}"
      end
      raise "the broker does not listen" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit

      IO.select(nil, nil, nil, 0.005)
      retry
    end
  end

  def restart(signal)
    stop(signal)
    start
  end

  def stop(signal)
    Process.kill(signal, @pid)
    Process.wait(@pid)
    @pid = nil
  end

  def tail
    File.read(File.join(@folder, "log"))[-3000..] || File.read(File.join(@folder, "log"))
  end

  def close
    stop("KILL") if @pid
    FileUtils.remove_entry(@folder)
  end
end

# A blocking connection; frames come by `receive`, with a bound.
class Client
  def initialize(broker, client_id: nil)
    headers = { "accept-version" => "1.2", "host" => "localhost" }
    headers["client-id"] = client_id if client_id
    host = { host: "127.0.0.1", port: broker.stomp, ssl: false }
    @connection = Stomp::Connection.new(hosts: [host], reliable: false, connect_headers: headers)
    raise "refused: #{@connection.connection_frame}" unless @connection.connection_frame.command == "CONNECTED"

    @waiting = []
  end

  def receive
    @waiting.shift || from_socket
  end

  def confirmed(headers = {})
    receipt = SecureRandom.uuid
    yield headers.merge("receipt" => receipt)
    loop do
      frame = from_socket
      break if frame.command == "RECEIPT" && frame.headers["receipt-id"] == receipt
      raise "refused: #{frame.body}" if frame.command == "ERROR"

      @waiting << frame
    end
  end

  def send(destination, body, headers = {})
    headers = { "persistent" => "true" }.merge(headers)
    return @connection.publish(destination, body, headers) if headers.key?("transaction")

    confirmed(headers) { |all| @connection.publish(destination, body, all) }
  end

  def subscribe(destination, headers = {})
    confirmed({ "ack" => "auto" }.merge(headers)) { |all| @connection.subscribe(destination, all, "s-1") }
  end

  def ack(message)
    confirmed { |all| @connection.ack(message.headers["ack"], all) }
  end

  def nack(message)
    confirmed { |all| @connection.nack(message.headers["ack"], all) }
  end

  def begin(name)
    @connection.begin(name)
  end

  def commit(name)
    confirmed { |all| @connection.commit(name, all) }
  end

  def abort(name)
    confirmed { |all| @connection.abort(name, all) }
  end

  def close
    @connection.disconnect("receipt" => SecureRandom.uuid)
  end

  private

  def from_socket
    Timeout.timeout(WAIT_SECONDS) { @connection.receive }
  end
end

def check(expected, actual)
  raise "expected #{expected.inspect}, got #{actual.inspect}" unless expected == actual
end

def fresh(kind = "queue")
  "/#{kind}/interop.#{SecureRandom.uuid}"
end

TESTS = {
  "text and binary round trip" => lambda do |broker|
    queue, client = fresh, Client.new(broker)
    client.subscribe(queue)
    client.send(queue, "naïve ☃ text", "own" => "a:b")
    message = client.receive
    check(["naïve ☃ text", "a:b"], [message.body.dup.force_encoding("UTF-8"), message.headers["own"]])
    binary = (0..255).to_a.pack("C*") * 20
    client.send(queue, binary)
    check(binary, client.receive.body.b)
    client.close
  end,
  "persistent messages survive SIGKILL" => lambda do |broker|
    queue, client = fresh, Client.new(broker)
    10.times { |number| client.send(queue, number.to_s) }
    broker.restart("KILL")
    client = Client.new(broker)
    client.subscribe(queue)
    check((0..9).map(&:to_s), Array.new(10) { client.receive.body })
    client.close
  end,
  "a durable subscription outlives a restart" => lambda do |broker|
    topic, name = fresh("topic"), SecureRandom.uuid
    durable = { "activemq.subscriptionName" => name, "ack" => "client-individual" }
    subscriber = Client.new(broker, client_id: name)
    subscriber.subscribe(topic, durable)
    subscriber.close
    Client.new(broker).tap { |producer| producer.send(topic, "while away") }.close
    broker.restart("TERM")
    subscriber = Client.new(broker, client_id: name)
    subscriber.subscribe(topic, durable)
    message = subscriber.receive
    check("while away", message.body)
    subscriber.ack(message)
    subscriber.close
  end,
  "transactions commit whole or not at all" => lambda do |broker|
    queue, client, consumer = fresh, Client.new(broker), Client.new(broker)
    consumer.subscribe(queue)
    client.begin("t-1")
    client.send(queue, "never", "transaction" => "t-1")
    client.abort("t-1")
    client.begin("t-2")
    client.send(queue, "one", "transaction" => "t-2")
    client.send(queue, "two", "transaction" => "t-2")
    client.commit("t-2")
    check(%w[one two], Array.new(2) { consumer.receive.body })
    [client, consumer].each(&:close)
  end,
  "a selector chooses" => lambda do |broker|
    queue, client = fresh, Client.new(broker)
    client.subscribe(queue, "selector" => "size > 2")
    [1, 3].each { |size| client.send(queue, size.to_s, "size" => size.to_s) }
    check("3", client.receive.body)
    client.close
  end,
  "NACK sends to the dead-letter queue" => lambda do |broker|
    queue, mark, client = fresh, SecureRandom.uuid, Client.new(broker)
    client.subscribe(queue, "ack" => "client-individual")
    client.send(queue, "poison", "mark" => mark)
    client.nack(client.receive)
    dead = Client.new(broker)
    dead.subscribe("/queue/ActiveMQ.DLQ", "selector" => "mark = '#{mark}'")
    check("poison", dead.receive.body)
    [client, dead].each(&:close)
  end,
  "a request is answered over a temporary queue" => lambda do |broker|
    service, asker, answerer = fresh, Client.new(broker), Client.new(broker)
    asker.subscribe("/temp-queue/answers")
    answerer.subscribe(service)
    asker.send(service, "question", "reply-to" => "/temp-queue/answers")
    answerer.send(answerer.receive.headers["reply-to"], "answer")
    check("answer", asker.receive.body)
    [asker, answerer].each(&:close)
  end
}.freeze

passed = failed = 0
broker = Broker.new
begin
  broker.start
  TESTS.each do |name, test|
    test.call(broker)
    passed += 1
    puts "ok   #{name}"
  rescue StandardError => e
    failed += 1
    puts "FAIL #{name}\n#{e.full_message(highlight: false)}"
  end
  puts broker.tail if failed.positive?
ensure
  broker.close
end
puts "#{passed} passed, #{failed} failed"
exit(failed.zero? ? 0 : 1)
